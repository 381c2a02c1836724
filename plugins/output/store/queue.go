// The output's side: batches that wait, in memory and on disk.

package store

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/sink"
)

// A batch is what is handed to the sender.
type batch struct {
	Rows
	taken int   // rows, from the first on, that have been dealt with
	read  int64 // the spool's position behind it; 0: it does not come from there
	sent  int   // how often the store had taken rows when it had all of these
}

func (b *batch) size() int64 { return int64(cap(b.data) + 8*cap(b.ends)) }

// unsettled is a batch from the disk that a store has taken but may still lose.
type unsettled struct {
	sent int
	read int64
}

// A queue holds the batches of an output until the store has taken them.
type queue struct {
	output *Output
	store  Store
	lanes  []*lane
	env    *engine.Env
	sender *sender

	id        ID
	number    uint64
	waiting   []*batch // not handed to the sender yet, oldest first
	handed    int      // batches that the sender has
	octets    int64    // of all these
	free      []*batch
	flushed   int // lanes
	begun     bool
	closed    bool
	disk      *disk       // nil: no spool
	settler   settler     // nil: what the store has taken, it has
	unsettled []unsettled // oldest first

	anew atomic.Bool // the sender is to connect again
	full *engine.Drop
	late *engine.Drop
}

func (q *queue) open(env *engine.Env) error {
	if q.env != nil {
		return nil
	}
	q.env = env
	if q.output.pause == 0 {
		q.output.pause = defaultPause
		env.Log.Info("reconnect = 0 means 2 s: the output never gives up")
	}
	rand.Read(q.id[:8])
	q.full = env.Stats.Drop("buffer_full", "records that found the buffer full and could not wait: without a queue")
	q.late = env.Stats.Drop("not_taken", "records that the store had not taken at the end of the daemon, and for which "+
		"there was no spool")
	if q.output.spool != "" {
		var err error
		if q.disk, err = openDisk(q.output, env); err != nil {
			return err
		}
	}
	q.sender = newSender(q)
	return nil
}

// begin has the sender connect. That waits until the daemon runs and has given up root (-u): files
// that it makes and servers that it meets are to see the user that it is from then on.
func (q *queue) begin() {
	if !q.begun {
		q.begun = true
		q.env.Go(q.sender.run)
	}
}

// put makes a batch of what has gathered in a lane's buffer, and hands it on.
func (q *queue) put(l *lane) {
	b := q.empty()
	q.number++
	b.Shape, b.Batch = l.shape, q.id
	binary.BigEndian.PutUint64(b.Batch[8:], q.number)
	if len(l.buf.Data) < cap(l.buf.Data)/4 { // a trickle must not pin the memory of a flood
		b.data, b.ends = append([]byte(nil), l.buf.Data...), append([]int(nil), l.buf.Ends...)
		l.buf.Data, l.buf.Ends = l.buf.Data[:0], l.buf.Ends[:0]
	} else {
		if b.data == nil { // the next batch will have the size of this one: it need not grow to that
			b.data, b.ends = make([]byte, 0, cap(l.buf.Data)), make([]int, 0, cap(l.buf.Ends))
		}
		b.data, l.buf.Data = l.buf.Data, b.data[:0]
		b.ends, l.buf.Ends = l.buf.Ends, b.ends[:0]
	}
	q.env.Stats.Held.Add(b.Len())
	q.pump()
	for !q.room(l, b) {
		if q.disk != nil && q.disk.append(b) {
			q.env.Limited().Warn("the buffer is full: records go to the spool", "store", q.store.Name(),
				"buffer", engine.FormatSize(q.output.buffer), "spool", q.output.spool)
			q.recycle(b)
			return
		}
		end := q.env.Deadline()
		if !l.buf.Patient || !end.IsZero() && time.Now().After(end) {
			q.env.Limited().Warn("the buffer is full: records are dropped", "store", q.store.Name(),
				"buffer", engine.FormatSize(q.output.buffer), "dropped_so_far", q.full.Load()+int64(b.Len()),
				"remedy", "raise buffer, give the output a spool, or a queue")
			q.drop(b, q.full)
			return
		}
		q.env.Waits()
		select {
		case d := <-q.sender.done:
			q.settle(d)
		case <-time.After(sink.WaitSlice):
		}
		q.pump()
	}
	q.octets += b.size()
	q.waiting = append(q.waiting, b)
	q.pump()
}

// fileBatches is how many batches of a file wait: the store works at one, and more have left the processor's caches
// when their turn comes.
const fileBatches = 4

// room reports whether a batch may wait in memory: there is room, and older ones do not wait on
// disk.
func (q *queue) room(l *lane, b *batch) bool {
	switch {
	case q.disk != nil && q.disk.Records() > 0:
		return false
	case q.disk == nil && l.file && q.handed+len(q.waiting) >= fileBatches:
		return false
	}
	return q.octets == 0 || q.octets+b.size() <= q.output.buffer
}

// pump takes back what the sender is done with and hands it what is next.
func (q *queue) pump() {
	q.begin()
	for {
		select {
		case d := <-q.sender.done:
			q.settle(d)
			continue
		default:
		}
		if len(q.waiting) == 0 && !q.refill() {
			return
		}
		select {
		case q.sender.work <- q.waiting[0]:
			q.handed++
			q.waiting = q.waiting[:copy(q.waiting, q.waiting[1:])]
		default:
			return
		}
	}
}

// refill reads a batch from the disk.
func (q *queue) refill() bool {
	if q.disk == nil || q.disk.Records() == 0 {
		return false
	}
	b := q.empty()
	if !q.disk.next(b) {
		q.free = append(q.free, b)
		return false
	}
	q.octets += b.size()
	q.waiting = append(q.waiting, b)
	return true
}

func (q *queue) settle(b *batch) {
	q.handed--
	q.octets -= b.size()
	switch {
	case b.read == 0:
	case q.settler == nil:
		q.disk.Release(b.read)
	default:
		q.unsettled = append(q.unsettled, unsettled{b.sent, b.read})
		q.release()
	}
	q.recycle(b)
}

// release has the spool forget what has settled.
func (q *queue) release() {
	if len(q.unsettled) == 0 {
		return
	}
	n := q.settler.Settled()
	for len(q.unsettled) > 0 && q.unsettled[0].sent <= n {
		q.disk.Release(q.unsettled[0].read)
		q.unsettled = slices.Delete(q.unsettled, 0, 1)
	}
}

func (q *queue) drop(b *batch, why *engine.Drop) {
	n := b.Len() - b.taken
	why.Add(n)
	q.env.Stats.Held.Add(-n)
	q.recycle(b)
}

func (q *queue) empty() *batch {
	n := len(q.free)
	if n == 0 {
		return &batch{}
	}
	b := q.free[n-1]
	q.free = q.free[:n-1]
	return b
}

// recycle keeps as many batches as wait, and a few more, for those that come: while the store is slower than records
// come they go round, and after that the rest is given back.
func (q *queue) recycle(b *batch) {
	*b = batch{Rows: Rows{data: b.data[:0], ends: b.ends[:0]}}
	q.free = append(q.free, b)
	if keep := 8 + len(q.waiting); len(q.free) > keep {
		clear(q.free[keep:])
		q.free = q.free[:keep]
	}
}

func (q *queue) tick(now time.Time) {
	q.pump()
	if q.disk != nil {
		q.release()
		q.disk.Tick(now)
	}
}

// flush waits until the store has taken everything, but not for one that is away if there is a disk
// for what it has not.
func (q *queue) flush() {
	for q.pump(); q.handed+len(q.waiting) > 0 || q.disk != nil && q.disk.Records() > 0; q.pump() {
		end := q.env.Deadline()
		if q.disk != nil && (q.sender.away.Load() || !end.IsZero() &&
			time.Until(end) < time.Duration(q.octets)*time.Second/(100<<20)) {
			return
		}
		if !end.IsZero() && time.Now().After(end) {
			return
		}
		q.env.Waits()
		select {
		case d := <-q.sender.done:
			q.settle(d)
		case <-time.After(sink.WaitSlice):
		}
	}
}

// close ends the sender, and puts on disk or drops what the store has not taken. It may be called
// without open, and by every lane.
func (q *queue) close() error {
	if q.closed || q.sender == nil {
		return nil
	}
	q.closed = true
	var left []*batch
	if q.begun {
		left = q.sender.end()
	}
	for done := true; done; {
		select {
		case d := <-q.sender.done:
			q.settle(d)
		default:
			done = false
		}
	}
	left = append(left, q.waiting...)
	if q.disk != nil {
		return q.disk.putAway(left)
	}
	for _, b := range left {
		q.drop(b, q.late)
	}
	return nil
}
