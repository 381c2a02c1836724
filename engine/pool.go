// Pools of batches.

package engine

import "sync"

// pool keeps batches of one make that are not in use. How many exist is bounded by what the queues
// may hold.
type pool struct {
	make func() *Batch
	mu   sync.Mutex
	free []*Batch
}

// get returns an empty batch with one hold.
func (p *pool) get() *Batch {
	p.mu.Lock()
	var b *Batch
	if n := len(p.free); n > 0 {
		b = p.free[n-1]
		p.free = p.free[:n-1]
	}
	p.mu.Unlock()
	if b == nil {
		b = p.make()
		b.home = p
	}
	b.refs.Store(1)
	return b
}

func (p *pool) put(b *Batch) {
	p.mu.Lock()
	p.free = append(p.free, b)
	p.mu.Unlock()
}
