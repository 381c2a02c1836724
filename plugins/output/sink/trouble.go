// Complaints about the other side: seldom, and with what they cost.

package sink

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"ulogd/engine"
)

// Trouble says what is wrong with a file or a peer, each thing at most once a minute, with how many
// records the output has dropped since the line before, and when it is over, how long it lasted. An
// operator reads all of it at the default level. Its methods may be called from several goroutines.
type Trouble struct {
	Env  *engine.Env
	What string // what Name is: file, peer
	Name string
	Peer *engine.Peer // what monitors are told of it; may be nil

	mu      sync.Mutex
	said    map[string]time.Time // when a complaint was last logged
	since   time.Time            // when it ceased to work; zero: it works
	told    bool                 // the log has a line of that
	text    string               // the last complaint
	err     error
	counted int64 // records dropped by the time of the last line
	before  int64 // records dropped by the time it ceased to work
}

const complainEvery = time.Minute

// Say says that it does not work, and why.
func (t *Trouble) Say(text string, err error) {
	if t.Peer != nil {
		t.Peer.Down(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() {
		t.since, t.before = time.Now(), t.counted
	}
	t.complain(text, err)
}

// Refused says that a record was not taken, though the other side works.
func (t *Trouble) Refused(text string, err error) {
	if t.Peer != nil {
		t.Peer.Down(err) // what was wrong last
		t.Peer.Up()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.complain(text, err)
}

// Tick says again, once a minute, what has cost more records since.
func (t *Trouble) Tick(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := t.said[t.text]; t.text != "" && now.Sub(last) >= complainEvery &&
		(t.Env.Stats.Dropped() > t.counted || !t.since.IsZero() && !t.told) {
		t.complain(t.text, t.err)
	}
}

func (t *Trouble) complain(text string, err error) {
	t.text, t.err = text, err
	now := time.Now()
	if now.Sub(t.said[text]) < complainEvery {
		return
	}
	if t.said == nil {
		t.said = map[string]time.Time{}
	}
	dropped := t.Env.Stats.Dropped()
	t.Env.Log.Error(text, t.What, t.Name, "error", err, "dropped", dropped-t.counted)
	t.said[text], t.told, t.counted = now, !t.since.IsZero(), dropped
}

// lasts reports whether it does not work.
func (t *Trouble) lasts() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.since.IsZero()
}

// Over says that it works again. It reports whether it did not.
func (t *Trouble) Over(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() {
		return false
	}
	if t.Peer != nil {
		t.Peer.Up()
	}
	level := slog.LevelWarn // that of the complaint would be an alarm
	if !t.told {
		level = slog.LevelInfo // nor was the complaint written: there was one a minute ago
	}
	dropped := t.Env.Stats.Dropped()
	lasted := time.Since(t.since).Round(time.Millisecond)
	t.Env.Log.Log(context.Background(), level, text, t.What, t.Name, "lasted", lasted, "kept", t.Env.Stats.Held.Load(),
		"dropped", dropped-t.before)
	t.since, t.told, t.counted = time.Time{}, false, dropped
	return true
}
