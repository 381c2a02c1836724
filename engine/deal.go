package engine

import (
	"sync"
	"time"
)

// deal spreads the rows of a chain over copies of the rest of the stack, by hash, each copy on a goroutine of its own. All copies read the
// one batch through views; the last to finish gives it back.
type deal struct {
	dealer Dealer
	seg    *segment
	shards []*shard
	wg     sync.WaitGroup
}

// shard is one copy.
type shard struct {
	chain *chain
	in    chan *Batch
	mail  mailbox
}

// shardDepth is how many batches may wait for a copy: enough that neither side waits for the other's scheduling.
const shardDepth = 16

func (d *deal) run(b *Batch) {
	hash := d.dealer.Hash(b)
	n := uint64(len(d.shards))
	views := [maxShards]*Batch{}
	for i := range d.shards {
		views[i] = d.seg.view(b)
	}
	for _, r := range b.Rows() {
		v := views[uint64(hash[r])*n>>32]
		v.rows[v.n&(BatchSize-1)] = r
		v.n++
	}
	for i, s := range d.shards {
		if views[i].n > 0 {
			s.in <- views[i]
		} else {
			views[i].release()
		}
	}
}

// maxShards bounds the copies of a stack's rest.
const maxShards = 64

func (d *deal) start() {
	for _, s := range d.shards {
		d.wg.Go(s.run)
	}
}

func (d *deal) flush() {
	for _, s := range d.shards {
		close(s.in)
	}
	d.wg.Wait()
}

func (d *deal) signal(sig Signal, seq int64) {
	for _, s := range d.shards {
		s.mail.put(func() { s.chain.signal(sig, seq) })
	}
}

func (s *shard) run() {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case v, ok := <-s.in:
			if !ok {
				s.mail.run()
				s.chain.flush()
				return
			}
			s.chain.run(v)
			v.release()
		case now := <-ticker.C:
			s.chain.tick(now)
			s.mail.run()
		}
	}
}
