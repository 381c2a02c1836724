// The daemon's log in a test.

package stacktest

import (
	"context"
	"log/slog"
	"strings"
)

// Log keeps what the daemon logs.
type Log struct {
	lines []string
	root  *Log
	attrs string
}

func (l *Log) top() *Log {
	if l.root != nil {
		return l.root
	}
	return l
}

// Enabled keeps every level.
func (l *Log) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps a line: level, text, attributes.
func (l *Log) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message + l.attrs
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	mu.Lock()
	defer mu.Unlock()
	l.top().lines = append(l.top().lines, line)
	return nil
}

// WithAttrs keeps the attributes for later lines.
func (l *Log) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := &Log{root: l.top(), attrs: l.attrs}
	for _, a := range attrs {
		c.attrs += " " + a.String()
	}
	return c
}

// WithGroup has no use here.
func (l *Log) WithGroup(string) slog.Handler { return l }

func (l *Log) String() string {
	mu.Lock()
	defer mu.Unlock()
	return strings.Join(l.top().lines, "\n")
}

// Has reports whether a line contains text.
func (l *Log) Has(text string) bool { return strings.Contains(l.String(), text) }

// AtDefault returns how many lines of the levels that a daemon logs by default begin with text.
func (l *Log) AtDefault(text string) (n int) {
	for line := range strings.Lines(l.String()) {
		level, rest, _ := strings.Cut(line, " ")
		if (level == "WARN" || level == "ERROR") && strings.HasPrefix(rest, text) {
			n++
		}
	}
	return n
}
