// Blocks: the bytes that inputs read, shared by the batches that refer to them.

package engine

import (
	"sync"
	"sync/atomic"
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
	free []*Block
}

// NewBlocks makes a store of blocks of size octets each.
func NewBlocks(size int) *Blocks { return &Blocks{size: size} }

// Get returns a block that nobody else refers to; the caller holds it until Release.
func (s *Blocks) Get() *Block {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free)
	if n == 0 {
		k := &Block{Data: make([]byte, s.size), home: s}
		k.refs.Store(1)
		return k
	}
	k := s.free[n-1]
	s.free = s.free[:n-1]
	k.refs.Store(1)
	return k
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
	k.home.free = append(k.home.free, k)
	k.home.mu.Unlock()
}
