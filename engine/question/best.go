// The first of many, in little memory.

package question

import "slices"

// best keeps the first of many in an order, those that are equal as they come: at most twice as many
// as are wanted, of which it forgets the lesser half each time it has them.
type best[T any] struct {
	limit  int
	order  func(a, b *T) int
	kept   []T
	sorted bool // the first limit of kept are: what is not before the last of them is not wanted
}

func newBest[T any](limit int, order func(a, b *T) int) *best[T] {
	return &best[T]{limit: limit, order: order}
}

func (b *best[T]) add(x *T) {
	if b.limit == 0 || b.sorted && b.order(x, &b.kept[b.limit-1]) >= 0 {
		return
	}
	if b.kept = append(b.kept, *x); len(b.kept) == 2*b.limit {
		b.trim()
		b.sorted = true
	}
}

func (b *best[T]) trim() {
	slices.SortStableFunc(b.kept, func(x, y T) int { return b.order(&x, &y) })
	b.kept = b.kept[:min(len(b.kept), b.limit)]
}

// first returns the first of all that were added.
func (b *best[T]) first() []T {
	b.trim()
	return b.kept
}
