// The queues between the daemon and its log: a log that blocks stops nothing.

package cmd

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// queueLines is how many lines wait for a log that does not take them; a daemon says less in an hour.
const queueLines = 4096

// queue stands in front of one sink, which its goroutine writes. What does not fit is counted, and told when the sink
// takes lines again.
type queue struct {
	sink
	entries chan entry
	lost    atomic.Int64
}

func newQueue(s sink) *queue {
	q := &queue{sink: s, entries: make(chan entry, queueLines)}
	go q.run()
	return q
}

// put never waits.
func (q *queue) put(e entry) {
	select {
	case q.entries <- e:
	default:
		q.lost.Add(1)
	}
}

func (q *queue) run() {
	for e := range q.entries {
		if e.do != nil {
			e.do()
			continue
		}
		if q.write(e) != nil {
			q.lost.Add(1)
			continue
		}
		if len(q.entries) < queueLines/2 {
			q.tell()
		}
	}
}

// tell says how many lines are missing.
func (q *queue) tell() {
	n := q.lost.Swap(0)
	if n == 0 {
		return
	}
	pc, _, _, _ := runtime.Caller(0)
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	if q.write(entryOf(time.Now(), 7, frame, fmt.Sprintf("%s of this log are missing: it could not be written in time", count(int(n), "line")))) != nil {
		q.lost.Add(n)
	}
}

// then has f run when what was said before is written. It reports whether there was room for that.
func (q *queue) then(f func()) bool {
	select {
	case q.entries <- entry{do: f}:
		return true
	default:
		return false
	}
}

// flush waits until what was said before is written, or until the deadline.
func (q *queue) flush(deadline <-chan time.Time) {
	done := make(chan struct{})
	select {
	case q.entries <- entry{do: func() { close(done) }}:
	case <-deadline:
		return
	}
	select {
	case <-done:
	case <-deadline:
	}
}
