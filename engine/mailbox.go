// How work that comes from outside gets to the goroutine that owns an instance.

package engine

import (
	"sync"
	"sync/atomic"
)

// mailbox takes work to the goroutine that owns an instance: signals, questions of the control
// socket.
type mailbox struct {
	any  atomic.Bool
	mu   sync.Mutex
	work []func()
}

func (m *mailbox) put(f func()) {
	m.mu.Lock()
	m.work = append(m.work, f)
	m.any.Store(true)
	m.mu.Unlock()
}

// run does the work that has arrived. It costs one load when there is none.
func (m *mailbox) run() {
	if !m.any.Load() {
		return
	}
	m.mu.Lock()
	work := m.work
	m.work = nil
	m.any.Store(false)
	m.mu.Unlock()
	for _, f := range work {
		f()
	}
}
