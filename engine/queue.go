// The queue in front of an output that may block.

package engine

import (
	"log/slog"
	"runtime"
	"sync"
	"time"
)

// queue holds batches for an output that may block. It is bounded in rows. A batch that is well
// filled waits as it is; the rows of sparse ones are copied together, so that a queue of n rows
// never pins more memory than n rows need.
type queue struct {
	max  int
	full *Drop
	held *Counter

	mu     sync.Mutex
	room   sync.Cond // for feeders that wait
	wake   chan struct{}
	items  []item // those from head on wait
	head   int
	rows   int
	closed bool
	abort  bool // at the end of the shutdown timeout: nobody waits any more

	said struct {
		dropped int64     // records that full had counted at the last line
		at      time.Time // when that was
		since   time.Time // when the queue became full; zero: the log says that it is not
		before  int64     // records that full had counted then
	}
}

type item struct {
	port    *port
	b       *Batch
	n       int
	compact bool
}

// sparse is how few rows make a batch worth copying instead of pinning its columns and bytes.
const sparse = 64

func newQueue(max int, st *Stats) *queue {
	q := &queue{
		max: max, wake: make(chan struct{}, 1), held: &st.Held,
		full: st.Drop("queue_full", "records that found the output's queue full"),
	}
	q.room.L = &q.mu
	return q
}

// push adds the rows of b, or drops and counts them if there is no room and the stack does not
// wait.
func (q *queue) push(p *port, b *Batch) {
	q.mu.Lock()
	for q.rows > 0 && q.rows+b.n > p.room && p.block && !q.abort {
		q.room.Wait()
	}
	if q.rows > 0 && q.rows+b.n > p.room || q.abort {
		q.mu.Unlock()
		q.full.Add(b.n)
		return
	}
	q.rows += b.n
	q.held.Add(b.n)
	switch last := len(q.items) - 1; {
	case last < q.head || b.n > sparse:
		b.hold()
		q.append(item{port: p, b: b, n: b.n})
	case q.items[last].compact && q.items[last].port == p && q.items[last].n+b.n <= BatchSize:
		b.appendTo(q.items[last].b, p.reads)
		q.items[last].n += b.n
	default:
		c := p.seg.compact.get()
		b.appendTo(c, p.reads)
		q.append(item{port: p, b: c, n: b.n, compact: true})
	}
	behind := len(q.items)-q.head > fewBatches
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	if behind {
		runtime.Gosched()
	}
}

// fewBatches wait at most before the feeder lets the output have the processor, if it wants it. Where both share one,
// as a router's daemon does, the scheduler would let the feeder go on for 10 ms and fill dozens of batches, whose
// columns are out of the processor's caches by the time the output reads them: a packet of NFLOG to LOGEMU took half as
// long again.
const fewBatches = 2

// say logs that records find no room: at once, then once a minute with how many these were, and when it is over. Feeders
// call it, since the output may be stuck.
func (q *queue) say(log *slog.Logger, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	said, dropped := &q.said, q.full.Load()
	switch {
	case q.abort:
	case dropped > said.dropped && now.Sub(said.at) >= LogEvery:
		if said.since.IsZero() {
			said.since, said.before = now, said.dropped
		}
		log.Warn("the output does not keep up: records find its queue full and are dropped", "dropped", dropped-said.dropped,
			"queue", q.max)
		said.dropped, said.at = dropped, now
	case !said.since.IsZero() && q.rows <= q.max/2:
		log.Warn("the output's queue has room again", "lasted", now.Sub(said.since).Round(time.Millisecond),
			"kept", q.rows, "dropped", dropped-said.before)
		said.dropped, said.since = dropped, time.Time{}
	}
}

// append adds an item, using the room at the front of the slice again before it grows.
func (q *queue) append(it item) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, it)
}

type popState uint8

const (
	gotItem popState = iota
	queueEmpty
	queueClosed
)

// pop takes the oldest batch. The caller takes its rows off the held counter when they are dealt
// with, and releases it.
func (q *queue) pop() (item, popState) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.items) {
		if q.closed {
			return item{}, queueClosed
		}
		return item{}, queueEmpty
	}
	it := q.items[q.head]
	q.items[q.head] = item{}
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	q.rows -= it.n
	q.room.Broadcast()
	return it, gotItem
}

// close says that no feeder is left.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// giveUp empties the queue at the end of the shutdown timeout, counting what it held, and lets
// waiting feeders go.
func (q *queue) giveUp(late *Drop) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.abort = true
	for _, it := range q.items[q.head:] {
		late.Add(it.n)
		q.held.Add(-it.n)
	}
	q.items, q.head, q.rows = nil, 0, 0
	q.room.Broadcast()
}
