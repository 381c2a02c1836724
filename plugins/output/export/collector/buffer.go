// The memory of a queue: what comes in, and what may be forgotten for it.

package collector

import "slices"

// Add copies a message to the end of the queue. Without room its records are dropped and counted,
// and Add returns false.
func (q *Queue) Add(msg []byte, m Mark) bool {
	switch {
	case q.disk != nil && q.disk.Records() > 0 && q.spill(msg, m): // behind what is there
	case q.open(len(msg)):
		q.chunks[len(q.chunks)-1].add(msg, m)
		q.waiting += int64(len(msg))
		q.waitingRecords += m.Records
	case q.disk == nil || !q.spill(msg, m):
		q.drop(msg, m)
		return false
	}
	q.stats.Held.Add(m.Records)
	q.added += m.Records
	return true
}

// drop gives up a message that there is no room for.
func (q *Queue) drop(msg []byte, m Mark) {
	why := q.full
	if q.disk != nil {
		why = q.disk.failed
	}
	why.Add(m.Records)
	q.log.dropped += m.Records
	if q.Dropped != nil {
		q.Dropped(msg)
	}
}

// open makes sure that the last chunk takes so many octets, and returns false if there is no memory
// for them.
func (q *Queue) open(octets int) bool {
	if last := len(q.chunks) - 1; last >= 0 && q.chunks[last].fits(octets) {
		return true
	}
	c := q.room()
	if c != nil {
		q.chunks = append(q.chunks, c)
	}
	return c != nil
}

// room returns an empty chunk, at the cost of sent messages that have arrived if need be, or nil.
func (q *Queue) room() *chunk {
	if int64(len(q.chunks))*q.piece >= q.max {
		if q.chunk == 0 || !q.arrived(q.chunks[0], q.acked()) {
			return nil
		}
		q.forget()
	}
	if n := len(q.free); n > 0 {
		c := q.free[n-1]
		q.free = q.free[:n-1]
		return c
	}
	return newChunk(q.piece)
}

// acked returns how much of what the session has taken the peer has acknowledged.
func (q *Queue) acked() int64 {
	switch {
	case q.session == nil:
		return 0
	case q.pacer != nil:
		sent, _, _, _, _ := q.pacer.state()
		return q.pacer.base + sent.octets
	}
	return q.session.Acked()
}

// arrived reports whether a chunk that was sent need not be kept because it is not acknowledged
// yet. What an earlier session was sent is known to have arrived: the rest was sent again.
func (q *Queue) arrived(c *chunk, acked int64) bool {
	last := c.last()
	return q.session == nil || last.session != q.number || last.end <= acked
}

// forget gives up the oldest chunk, all of whose messages were sent.
func (q *Queue) forget() {
	c := q.chunks[0]
	copy(q.chunks, q.chunks[1:])
	q.chunks = q.chunks[:len(q.chunks)-1]
	q.chunk--
	q.empty(c)
	q.free = append(q.free, c)
}

// shrink gives memory back after a long absence of the collector, but for an eighth of what there may be.
func (q *Queue) shrink() {
	if keep := int(q.max / 8 / q.piece); len(q.free) > keep {
		q.free = slices.Delete(q.free, keep, len(q.free))
	}
}

func (q *Queue) empty(c *chunk) {
	if c.read > 0 {
		q.disk.Release(c.read)
	}
	c.reset()
}

// restart reuses the memory of what was sent and need not be kept, while it is still in the
// processor's cache.
func (q *Queue) restart() {
	if q.window != (Window{}) || q.chunk != len(q.chunks)-1 {
		return
	}
	if q.pacer != nil && q.acked() < q.taken {
		return
	}
	for q.chunk > 0 {
		q.forget()
	}
	q.empty(q.chunks[0])
	q.message = 0
}

// Room reports whether so many octets of messages find room for certain.
func (q *Queue) Room(octets int64) bool {
	if q.disk != nil && (q.disk.Room(octets) || q.disk.Records() > 0) {
		return q.disk.Room(octets)
	}
	need := octets + int64(len(q.chunks)+1)*q.piece
	if need <= q.max {
		return true
	}
	done, acked := 0, q.acked()
	for done < q.chunk && q.arrived(q.chunks[done], acked) {
		done++
	}
	return need-int64(done)*q.piece <= q.max || q.waiting == 0 && done == q.chunk
}
