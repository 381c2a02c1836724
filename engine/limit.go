// Log lines about trouble that lasts or comes back: each text once a minute, with the number of
// lines that were held back.

package engine

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// LogEvery is the least time between two lines of the same text in a LimitedLog.
const LogEvery = time.Minute

// A LimitedLog writes of the lines with one text at most one a minute. What repeats is held back
// and counted: the next line with that text says in held_back how many there were, and if none
// comes before the end, a last line does. Texts are constants; what changes goes into attributes.
// It may be used by several goroutines. It is for what went wrong, not for loops over records: a
// call allocates and takes a lock.
type LimitedLog struct {
	log   *slog.Logger
	about string // what With added
	texts *limitedTexts
}

// limitedTexts is what a log and those that With made of it know of their lines.
type limitedTexts struct {
	lasting atomic.Int32 // how many states are lasting
	mu      sync.Mutex
	known   map[limitedText]*limitedState
}

type limitedText struct{ about, text string }

type limitedState struct {
	log      *slog.Logger
	level    slog.Level
	written  time.Time // when the last line was written
	heldBack int       // lines since then
	since    time.Time // since when trouble was written that nobody has said is over; zero: there is none
}

// NewLimitedLog returns a log that writes to another.
func NewLimitedLog(log *slog.Logger) *LimitedLog {
	return &LimitedLog{log: log, texts: &limitedTexts{known: map[limitedText]*limitedState{}}}
}

// With returns a log for one of several things that may go wrong independently, such as a peer: its
// lines have these attributes and their own limits.
func (l *LimitedLog) With(args ...any) *LimitedLog {
	return &LimitedLog{l.log.With(args...), l.about + fmt.Sprintln(args...), l.texts}
}

// Info logs what may repeat. It reports whether the line was written.
func (l *LimitedLog) Info(text string, args ...any) bool { return l.line(slog.LevelInfo, text, args) }

// Warn logs trouble that may repeat. It reports whether the line was written.
func (l *LimitedLog) Warn(text string, args ...any) bool { return l.line(slog.LevelWarn, text, args) }

// Error logs an error that may repeat. It reports whether the line was written.
func (l *LimitedLog) Error(text string, args ...any) bool {
	return l.line(slog.LevelError, text, args)
}

// Lasting reports whether there may be trouble of which Over has something to say: a question that
// can be asked for every batch.
func (l *LimitedLog) Lasting() bool { return l.texts.lasting.Load() > 0 }

// Over logs that what warnings and errors were about has ended, if any was written since the last
// call, and how long it lasted, at the level of warnings: who has read of the trouble is to read of
// its end. It reports whether the line was written.
func (l *LimitedLog) Over(text string, args ...any) bool {
	l.texts.mu.Lock()
	lasted, began := false, time.Now()
	for of, s := range l.texts.known {
		if of.about == l.about && !s.since.IsZero() {
			lasted = true
			if s.since.Before(began) {
				began = s.since
			}
			s.since = time.Time{}
			l.texts.lasting.Add(-1)
		}
	}
	l.texts.mu.Unlock()
	if lasted {
		args = append(args[:len(args):len(args)], "lasted", time.Since(began).Round(time.Millisecond))
		l.write(1, slog.LevelWarn, text, args)
	}
	return lasted
}

func (l *LimitedLog) line(level slog.Level, text string, args []any) bool {
	l.texts.mu.Lock()
	s := l.texts.known[limitedText{l.about, text}]
	if s == nil {
		s = &limitedState{}
		l.texts.known[limitedText{l.about, text}] = s
	}
	s.log, s.level = l.log, level
	now := time.Now()
	if !s.written.IsZero() && now.Sub(s.written) < LogEvery {
		s.heldBack++
		l.texts.mu.Unlock()
		return false
	}
	if s.heldBack > 0 {
		args = append(args[:len(args):len(args)], "held_back", s.heldBack)
	}
	s.written, s.heldBack = now, 0
	if level > slog.LevelInfo && s.since.IsZero() {
		s.since = now
		l.texts.lasting.Add(1)
	}
	l.texts.mu.Unlock()
	l.write(2, level, text, args)
	return true
}

// write writes a line that names the file and line of a caller: callers is how many of this file's
// functions called each other to come here.
func (l *LimitedLog) write(callers int, level slog.Level, text string, args []any) {
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return
	}
	var pc [1]uintptr
	runtime.Callers(2+callers, pc[:])
	r := slog.NewRecord(time.Now(), level, text, pc[0])
	r.Add(args...)
	_ = l.log.Handler().Handle(ctx, r) // there is no log for what a log cannot do
}

// end says how many lines were held back and will have no line after them.
func (l *LimitedLog) end() {
	l.texts.mu.Lock()
	defer l.texts.mu.Unlock()
	for of, s := range l.texts.known {
		if s.heldBack > 0 {
			s.log.Log(context.Background(), s.level, of.text, "held_back", s.heldBack)
			s.heldBack = 0
		}
	}
}
