// Blocks: the bytes that inputs read, shared by the batches that refer to them.

package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Block is a buffer that an input reads into and that batches refer to. It is reused when the
// input and the last batch have let go of it.
type Block struct {
	Data []byte
	refs atomic.Int32
	home *Blocks
}

// Blocks hands out blocks of one size. It may be used from several goroutines.
type Blocks struct {
	size int
	mu   sync.Mutex
	spares[*Block]
}

// NewBlocks makes a store of blocks of size octets each.
func NewBlocks(size int) *Blocks { return &Blocks{size: size} }

// Get returns a block that nobody else refers to; the caller holds it until Release.
func (s *Blocks) Get() *Block {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.take()
	if !ok {
		k = &Block{Data: make([]byte, s.size), home: s}
	}
	s.tick(time.Now())
	k.refs.Store(1)
	return k
}

// Tick lets blocks go that nobody needed for a while. Get does so as well: an input whose blocks are
// large calls it from its own Tick, since it may need no other block for long.
func (s *Blocks) Tick(now time.Time) {
	s.mu.Lock()
	s.tick(now)
	s.mu.Unlock()
}

// Shared reports whether a batch still refers to the block; if not, its holder may write into it
// again.
func (k *Block) Shared() bool { return k.refs.Load() > 1 }

// Release gives up one hold on the block.
func (k *Block) Release() {
	if k.refs.Add(-1) != 0 {
		return
	}
	k.home.mu.Lock()
	k.home.put(k)
	k.home.mu.Unlock()
}
