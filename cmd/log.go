// The daemon's own log, in ulogd2's format and levels.

package cmd

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"ulogd/engine/text"
	"ulogd/engine/zone"
)

// LevelFatal is the level of what ends the daemon; slog has none so high.
const LevelFatal = slog.LevelError + 4

// ulogdLevel gives ulogd2's number of a level: 1 debug, 3 info, 5 notice, 7 error, 8 fatal. Its notices are slog's warnings.
func ulogdLevel(l slog.Level) int {
	switch {
	case l < slog.LevelInfo:
		return 1
	case l < slog.LevelWarn:
		return 3
	case l < slog.LevelError:
		return 5
	case l < LevelFatal:
		return 7
	}
	return 8
}

// journal is where the log goes and from which level on. Both may change while loggers that lead to it are in use.
type journal struct {
	min   atomic.Int64 // ulogd2's number
	sinks atomic.Pointer[[]*queue]
	all   []*queue // that were ever in use
}

func (j *journal) to(sinks ...*queue) {
	j.sinks.Store(&sinks)
	for _, s := range sinks {
		if !slices.Contains(j.all, s) {
			j.all = append(j.all, s)
		}
	}
}

// flush waits until everything is written, but not for ever.
func (j *journal) flush() {
	deadline := time.After(flushTime)
	for _, q := range j.all {
		q.flush(deadline)
	}
}

// flushTime is how long the end of the daemon waits for a log that nobody takes.
const flushTime = 2 * time.Second

// logger is a slog.Handler that writes ulogd2's line format, "Sat Nov 21 01:54:07 2026 <5> file.go:12 text key=value".
type logger struct {
	*journal
	attrs string
}

func (l *logger) Enabled(_ context.Context, level slog.Level) bool {
	return ulogdLevel(level) >= int(l.min.Load())
}

func (l *logger) Handle(_ context.Context, r slog.Record) error {
	said := clean(r.Message) + l.attrs
	r.Attrs(func(a slog.Attr) bool {
		said += attr(a)
		return true
	})
	frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
	e := entryOf(r.Time, ulogdLevel(r.Level), frame, said)
	for _, q := range *l.sinks.Load() {
		q.put(e)
	}
	return nil
}

// entry is a message: a line in ulogd2's format, and what it says without time, level and place.
type entry struct {
	level      int
	line, text string
	do         func() // in place of a message
}

func entryOf(at time.Time, level int, frame runtime.Frame, said string) entry {
	place := fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
	return entry{level: level, text: said, line: fmt.Sprintf("%s <%d> %s %s\n", at.In(zone.Local()).Format("Mon Jan _2 15:04:05 2006"), level, place, said)}
}

func (l *logger) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *l
	for _, a := range attrs {
		c.attrs += attr(a)
	}
	return &c
}

func (l *logger) WithGroup(string) slog.Handler { return l }

func attr(a slog.Attr) string {
	v := a.Value.Resolve().String()
	if v == "" || strings.ContainsFunc(v, func(c rune) bool {
		return c <= ' ' || c == '"' || c == utf8.RuneError || !unicode.IsPrint(c) // what a terminal would obey, too
	}) {
		return fmt.Sprintf(" %s=%q", a.Key, v)
	}
	return fmt.Sprintf(" %s=%s", a.Key, v)
}

// clean keeps a message one line: several errors joined stand one behind the other, and what came from outside cannot begin a line.
func clean(message string) string {
	return string(text.AppendClean(nil, []byte(strings.ReplaceAll(message, "\n", "; "))))
}
