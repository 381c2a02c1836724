// The daemon's own log, in ulogd2's format and levels.

package cmd

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"ulogd/engine/text"
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
	sinks atomic.Pointer[[]sink]
}

func (j *journal) to(sinks ...sink) { j.sinks.Store(&sinks) }

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
	level := ulogdLevel(r.Level)
	line := fmt.Sprintf("%s <%d> %s:%d %s\n", r.Time.Format("Mon Jan _2 15:04:05 2006"), level, filepath.Base(frame.File), frame.Line, said)
	for _, s := range *l.sinks.Load() {
		s.write(level, line, said)
	}
	return nil
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
	if v == "" || strings.ContainsFunc(v, func(c rune) bool { return c <= ' ' || c == '"' || c == 0x7f }) {
		return fmt.Sprintf(" %s=%q", a.Key, v)
	}
	return fmt.Sprintf(" %s=%s", a.Key, v)
}

// clean keeps a message one line: several errors joined stand one behind the other, and what came from outside cannot begin a line.
func clean(message string) string {
	return string(text.AppendClean(nil, []byte(strings.ReplaceAll(message, "\n", "; "))))
}
