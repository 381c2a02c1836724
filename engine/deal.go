// Dealing: the rows of a chain to several copies of the rest of its stack.

package engine

import "sync"

// deal spreads the rows of a chain over copies of the rest of the stack, by hash, each copy on a
// goroutine of its own. All copies read the one batch through views; the last to finish gives it
// back.
type deal struct {
	dealer Dealer
	seg    *segment
	shards []*shard
	wg     sync.WaitGroup
}

// maxShards bounds the copies of a stack's rest.
const maxShards = 64

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
			d.put(s, views[i])
		} else {
			views[i].release()
		}
	}
	if b.n < BatchSize { // the input has caught up
		d.wake()
	}
}

// put hands a view to a copy. Where that has no room, its goroutine or another's most likely waits
// for a processor: then this one does their work.
func (d *deal) put(s *shard, v *Batch) {
	for !s.push(v) {
		if !s.help() && !d.help() {
			<-s.room
		}
	}
}

// help does some work of any copy that nobody works for.
func (d *deal) help() bool {
	for _, s := range d.shards {
		if s.help() {
			return true
		}
	}
	return false
}

// wake makes the copies take the little that waits.
func (d *deal) wake() {
	for _, s := range d.shards {
		s.alert()
	}
}

func (d *deal) start() {
	for _, s := range d.shards {
		d.wg.Go(s.run)
	}
}

func (d *deal) flush() {
	for _, s := range d.shards {
		close(s.end)
	}
	d.wg.Wait()
}

func (d *deal) signal(sig Signal, seq int64) {
	for _, s := range d.shards {
		s.mail.put(func() { s.chain.signal(sig, seq) })
	}
}
