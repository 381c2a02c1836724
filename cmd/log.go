package cmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
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

// sink is where finished log lines go.
type sink interface {
	write(level int, line, text string)
}

// logger is a slog.Handler that writes ulogd2's line format, "Sat Nov 21 01:54:07 2026 <5> file.go:12 text key=value", to all of its sinks.
type logger struct {
	min   *slog.LevelVar
	sinks []sink
	attrs string
}

func (l *logger) Enabled(_ context.Context, level slog.Level) bool {
	return ulogdLevel(level) >= ulogdLevel(l.min.Level())
}

func (l *logger) Handle(_ context.Context, r slog.Record) error {
	text := r.Message + l.attrs
	r.Attrs(func(a slog.Attr) bool {
		text += attr(a)
		return true
	})
	frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
	level := ulogdLevel(r.Level)
	line := fmt.Sprintf("%s <%d> %s:%d %s\n", r.Time.Format("Mon Jan _2 15:04:05 2006"), level, filepath.Base(frame.File), frame.Line, text)
	for _, s := range l.sinks {
		s.write(level, line, text)
	}
	return nil
}

func attr(a slog.Attr) string {
	v := a.Value.Resolve().String()
	for _, c := range v {
		if c <= ' ' || c == '"' || c == 0x7f {
			return fmt.Sprintf(" %s=%q", a.Key, v)
		}
	}
	return fmt.Sprintf(" %s=%s", a.Key, v)
}

func (l *logger) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *l
	for _, a := range attrs {
		c.attrs += attr(a)
	}
	return &c
}

func (l *logger) WithGroup(string) slog.Handler { return l }

// stream writes lines to standard error or output.
type stream struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *stream) write(_ int, line, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	io.WriteString(s.w, line)
}

// logFile appends to a file and can be told that it was rotated.
type logFile struct {
	path string
	mu   sync.Mutex
	f    *os.File
}

func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.reopen()
}

// reopen opens the path anew; if that fails the old file stays in use.
func (l *logFile) reopen() error {
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	l.mu.Lock()
	old := l.f
	l.f = f
	l.mu.Unlock()
	if old != nil {
		return old.Close()
	}
	return nil
}

func (l *logFile) write(_ int, line, _ string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	io.WriteString(l.f, line)
}

// system writes to syslog, facility daemon, text only.
type system struct{ w *syslog.Writer }

func (s system) write(level int, _, text string) {
	switch level {
	case 1:
		s.w.Debug(text)
	case 3:
		s.w.Info(text)
	case 5:
		s.w.Notice(text)
	case 7:
		s.w.Err(text)
	default:
		s.w.Crit(text)
	}
}

// setLevel sets the least level by ulogd2's number.
func setLevel(v *slog.LevelVar, n int) {
	switch {
	case n >= 8:
		v.Set(LevelFatal)
	case n >= 6:
		v.Set(slog.LevelError)
	case n >= 4:
		v.Set(slog.LevelWarn)
	case n >= 2:
		v.Set(slog.LevelInfo)
	default:
		v.Set(slog.LevelDebug)
	}
}
