// What is kept to be used again, and goes when nobody needs it any more.

package engine

import (
	"slices"
	"time"
)

// spares are things of one make that are not in use. A burst, or an output that was slow for a moment, takes many; kept
// for good, their number would only ever grow.
type spares[T any] struct {
	free    []T // those given back last at the end
	idle    int // of them, that were not needed since the last trim
	trimmed time.Time
}

// trimAfter is how long one is kept that nobody needs.
const trimAfter = time.Minute

// take returns one, if there is any.
func (s *spares[T]) take() (x T, ok bool) {
	n := len(s.free) - 1
	s.idle = min(s.idle, max(n, 0))
	if n < 0 {
		return x, false
	}
	x, s.free[n] = s.free[n], x // no copy of it stays behind that would outlast it
	s.free = s.free[:n]
	return x, true
}

func (s *spares[T]) put(x T) { s.free = append(s.free, x) }

// tick lets those go that were not needed for a while.
func (s *spares[T]) tick(now time.Time) {
	if now.Sub(s.trimmed) >= trimAfter {
		s.trimmed = now
		s.trim()
	}
}

// trim lets those go that were not needed since it was last called.
func (s *spares[T]) trim() {
	s.free = slices.Delete(s.free, 0, s.idle)
	s.idle = len(s.free)
}
