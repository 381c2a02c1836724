// Times that several goroutines look at, and that nobody moves by setting the clock.

package engine

import (
	"sync/atomic"
	"time"
)

// A moment is a time on the monotonic clock. The zero one is unset.
type moment struct{ after atomic.Int64 } // nanoseconds since the origin, and one; 0: unset

var origin = time.Now()

func (m *moment) set(t time.Time) { m.after.Store(int64(t.Sub(origin)) + 1) }

// first returns the first of some that is set, zero if none is.
func first(moments ...*moment) time.Time {
	for _, m := range moments {
		if t := m.get(); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// get returns the time, as the clock on the wall has it now; zero if it is unset.
func (m *moment) get() time.Time {
	n := m.after.Load()
	if n == 0 {
		return time.Time{}
	}
	now := time.Now()
	return now.Add(time.Duration(n-1) - now.Sub(origin))
}
