package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// What a burst took is given back when it is not needed any more, and what is needed stays.
func TestBlocksAreGivenBackAfterABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewBlocks(64)
		burst := func(n int) {
			held := make([]*Block, n)
			for i := range held {
				held[i] = s.Get()
			}
			for _, k := range held {
				k.Release()
			}
		}
		burst(500)
		if len(s.free) != 500 {
			t.Fatalf("%d blocks are free", len(s.free))
		}
		for range 2 * trimAfter / time.Second {
			time.Sleep(time.Second)
			burst(3)
		}
		if got := len(s.free); got != 3 {
			t.Errorf("%d blocks are kept where 3 are needed at a time", got)
		}
		if n := testing.AllocsPerRun(1000, func() { burst3(s) }); n != 0 {
			t.Errorf("%v allocations for blocks that are there", n)
		}
		for range 2 { // and when nobody needs any
			time.Sleep(trimAfter)
			s.Tick(time.Now())
		}
		if got := len(s.free); got != 0 {
			t.Errorf("%d blocks are kept where none is needed", got)
		}
	})
}

func burst3(s *Blocks) {
	a, b, c := s.Get(), s.Get(), s.Get()
	a.Release()
	b.Release()
	c.Release()
}

// What has been taken is kept alive by nobody else, wherever it lay.
func TestSparesKeepNoCopies(t *testing.T) {
	var s spares[*int]
	for range 5 {
		s.put(new(int))
	}
	a, _ := s.take()
	s.take()
	s.put(a)
	s.trim()
	s.trim()
	if n := len(s.free); n != 0 {
		t.Errorf("%d are kept that nobody needed", n)
	}
	for i, x := range s.free[:cap(s.free)] {
		if x != nil {
			t.Errorf("place %d still has one that was taken or let go", i)
		}
	}
}
