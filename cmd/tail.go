// The last lines of the log, in memory, for the page.

package cmd

import (
	"strings"
	"sync"
)

// tailLines is how many are kept.
const tailLines = 200

// tail keeps the last lines. It is a sink of the journal.
type tail struct {
	mu   sync.Mutex
	last []string
}

func (t *tail) write(e entry) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) == tailLines {
		t.last = append(t.last[:0], t.last[1:]...)
	}
	t.last = append(t.last, strings.TrimSuffix(e.line, "\n"))
	return nil
}

// lines returns them, the oldest first.
func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string{}, t.last...)
}
