// Blocks: the bytes that inputs read, shared by the batches that refer to them.

package engine

import (
	"slices"
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
	free []*Block // those given back last at the end
	idle int      // of them, that were not needed since gets was 0
	gets int
}

// trimEvery is after how many blocks those go that nobody needed meanwhile. A burst, or an output
// that was slow for a moment, takes many; kept for good, their number would only ever grow.
const trimEvery = 4096

// NewBlocks makes a store of blocks of size octets each.
func NewBlocks(size int) *Blocks { return &Blocks{size: size} }

// Get returns a block that nobody else refers to; the caller holds it until Release.
func (s *Blocks) Get() *Block {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free)
	s.idle = min(s.idle, max(n-1, 0))
	if s.gets++; s.gets == trimEvery {
		s.free = slices.Delete(s.free, 0, s.idle)
		n = len(s.free)
		s.gets, s.idle = 0, n
	}
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
