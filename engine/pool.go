// Pools of batches.

package engine

import (
	"sync"
	"time"
)

// pool keeps batches of one make that are not in use. How many exist is bounded by what the queues
// may hold.
type pool struct {
	make func() *Batch
	mu   sync.Mutex
	spares[*Batch]
}

// get returns an empty batch with one hold.
func (p *pool) get() *Batch {
	p.mu.Lock()
	b, ok := p.take()
	p.mu.Unlock()
	if !ok {
		b = p.make()
		b.home = p
	}
	b.refs.Store(1)
	return b
}

func (p *pool) giveBack(b *Batch) {
	p.mu.Lock()
	p.put(b)
	p.mu.Unlock()
}

// tick lets batches go that were not needed for a while.
func (p *pool) tick(now time.Time) {
	p.mu.Lock()
	p.spares.tick(now)
	p.mu.Unlock()
}
