// Complaints about the other side: seldom, and with what they cost.

package sink

import (
	"time"

	"ulogd/engine"
)

// Trouble says what is wrong with a file or a peer, each thing at most once a minute, with how many
// records were dropped, and when it is over.
type Trouble struct {
	Env  *engine.Env
	What string // what Name is: file, peer
	Name string
	Peer *engine.Peer // what monitors are told of it; may be nil

	said    map[string]time.Time // when a complaint was last logged
	any     bool                 // there was one, and it has not worked since
	dropped int                  // records dropped since
}

const complainEvery = time.Minute

// Dropped notes that n records more were dropped.
func (t *Trouble) Dropped(n int) { t.dropped += n }

// Any reports whether there was a complaint that is not over.
func (t *Trouble) Any() bool { return t.any }

// Say complains.
func (t *Trouble) Say(text string, err error) {
	if t.Peer != nil {
		t.Peer.Down(err)
	}
	now := time.Now()
	if now.Sub(t.said[text]) < complainEvery {
		return
	}
	if t.said == nil {
		t.said = map[string]time.Time{}
	}
	t.Env.Log.Error(text, t.What, t.Name, "error", err, "dropped", t.dropped)
	t.said[text], t.any, t.dropped = now, true, 0
}

// Over says that it works again.
func (t *Trouble) Over(text string) {
	if t.Peer != nil {
		t.Peer.Up()
	}
	t.Env.Log.Info(text, t.What, t.Name, "dropped", t.dropped)
	t.any, t.dropped = false, 0
}
