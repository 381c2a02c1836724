// How work that comes from outside gets to the goroutine that owns an instance.

package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// mailbox takes work to the goroutine that owns an instance: signals, questions.
type mailbox struct {
	any    atomic.Bool
	asking atomic.Int32 // questions that are being answered: more work comes soon
	mu     sync.Mutex
	work   []func()
	closed bool
	wake   func() // makes the owner look, where it does not look by itself in time; may be nil
}

// put hands over work. It returns false if the owner has ended and will do none any more.
func (m *mailbox) put(f func()) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.work = append(m.work, f)
	m.any.Store(true)
	m.mu.Unlock()
	if m.wake != nil {
		m.wake()
	}
	return true
}

// run does the work that has arrived. It costs one load when there is none.
func (m *mailbox) run() {
	if !m.any.Load() {
		return
	}
	m.take(false)
}

// close does what has arrived and takes no more.
func (m *mailbox) close() { m.take(true) }

func (m *mailbox) take(last bool) {
	m.mu.Lock()
	work := m.work
	m.work = nil
	m.any.Store(false)
	m.closed = m.closed || last
	m.mu.Unlock()
	for _, f := range work {
		f()
	}
}

// askedPause is how long an input may wait for records while a question is being answered: the next
// chunk of the answer is not to wait for a whole tick.
const askedPause = time.Millisecond

// until shortens the time that the owner may wait while a question is being answered.
func (m *mailbox) until(now, next time.Time) time.Time {
	if m.asking.Load() == 0 {
		return next
	}
	if soon := now.Add(askedPause); soon.Before(next) {
		return soon
	}
	return next
}
