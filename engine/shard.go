// A shard is one copy of the rest of a stack, with the batches that wait for it.

package engine

import (
	"sync"
	"time"
)

// shard is one copy of the rest of a stack, with what waits for it. To wake a goroutine for each
// batch costs more than what it does with the batch, and a goroutine that waits for it to wake up
// stands idle; so it is woken for many, and whoever finds no room for more does its work meanwhile.
type shard struct {
	chain *chain
	mail  mailbox
	busy  sync.Mutex    // held by whoever runs the chain
	wake  chan struct{} // something waits
	room  chan struct{} // there is room again
	end   chan struct{} // closed when nothing more comes

	mu      sync.Mutex
	views   [shardDepth]*Batch // a ring
	first   int
	n       int
	lacking bool // somebody may wait for room
}

const (
	// shardDepth is how many views may wait.
	shardDepth = 64
	// shardWake is how many make it worth to wake the copy.
	shardWake = 16
	// shardHelp is how many a helper takes at a time.
	shardHelp = 16
)

func newShard(c *chain) *shard {
	s := &shard{chain: c, wake: make(chan struct{}, 1), room: make(chan struct{}, 1), end: make(chan struct{})}
	s.mail.wake = s.alert
	return s
}

// push adds a view; it returns false if there is no room.
func (s *shard) push(v *Batch) bool {
	s.mu.Lock()
	if s.n == shardDepth {
		s.lacking = true
		s.mu.Unlock()
		return false
	}
	s.views[(s.first+s.n)%shardDepth] = v
	s.n++
	n := s.n
	s.mu.Unlock()
	if n == shardWake {
		s.alert()
	}
	return true
}

// pop takes the oldest view, nil if there is none.
func (s *shard) pop() *Batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		return nil
	}
	v := s.views[s.first]
	s.first = (s.first + 1) % shardDepth
	s.n--
	if s.lacking && s.n <= shardDepth/2 {
		s.lacking = false
		select {
		case s.room <- struct{}{}:
		default:
		}
	}
	return v
}

// alert makes the copy's goroutine look for work.
func (s *shard) alert() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// help does some of the copy's work if nobody does it just now, and reports whether it did any.
func (s *shard) help() bool {
	if !s.busy.TryLock() {
		return false
	}
	defer s.busy.Unlock()
	return s.work(shardHelp) > 0
}

// work takes waiting views through the chain, at most so many.
func (s *shard) work(most int) (done int) {
	for ; done < most; done++ {
		v := s.pop()
		if v == nil {
			break
		}
		s.chain.run(v)
		v.release()
	}
	return done
}

// run is the copy's goroutine.
func (s *shard) run() {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		var now time.Time
		ended := false
		select {
		case <-s.wake:
		case now = <-ticker.C:
		case <-s.end:
			ended = true
		}
		s.busy.Lock()
		for s.work(shardDepth) > 0 {
		}
		if !now.IsZero() {
			s.chain.tick(now)
		}
		s.mail.run()
		if ended {
			s.mail.close()
			s.chain.flush()
		}
		s.busy.Unlock()
		if ended {
			return
		}
	}
}
