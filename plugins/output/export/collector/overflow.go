// Beyond memory: what a queue has no room for goes to a spool on disk, and comes back in its turn.

package collector

import (
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/spool"
)

// A Keeper knows what messages need that wait on disk, perhaps for a later run of the daemon.
type Keeper interface {
	// Context returns what a later run must know to send a message with this mark.
	Context(m Mark) []byte
	// Adopt makes a message from the disk one of this run, in place, and returns its mark. It
	// returns false if this run cannot send it.
	Adopt(context, msg []byte) (Mark, bool)
}

// overflow is the spool of a queue.
type overflow struct {
	*spool.Spool
	keeper  Keeper
	spooled *engine.Counter
	foreign *engine.Drop
	failed  *engine.Drop
}

// Spool gives the queue a spool for what finds no room in memory, and for what waits there when the
// daemon ends. The queue closes it.
func (q *Queue) Spool(s *spool.Spool, k Keeper) {
	q.disk = &overflow{
		s, k,
		q.stats.Counter("spooled", "records that went to the spool because the buffer was full, older ones were in the spool, or the daemon ended"),
		q.stats.Drop("spool_foreign", "records in the spool that this configuration cannot send: they need a template beyond max_templates, or their message is too long for proto"),
		q.stats.Drop("spool_failed", "records that could not be put into the spool, for want of disk space or permission"),
	}
	if q.Dropped != nil {
		s.Full = func(m spool.Message) {
			if _, ok := k.Adopt(m.Context, m.Body); ok {
				q.Dropped(m.Body)
			}
		}
	}
}

// spill puts a message on disk.
func (q *Queue) spill(msg []byte, m Mark) bool {
	if !q.disk.Append(q.disk.message(msg, m)) {
		return false
	}
	q.disk.spooled.Add(m.Records)
	q.log.spooled += m.Records
	return true
}

func (o *overflow) message(msg []byte, m Mark) spool.Message {
	return spool.Message{Records: m.Records, Context: o.keeper.Context(m), Body: msg}
}

// maxMessage is the longest message that a queue takes.
const maxMessage = 1<<16 - 1

// refill fetches the next messages from the disk, as many as a chunk holds, and reports whether
// there were any.
func (q *Queue) refill() bool {
	if q.disk == nil || q.disk.Records() == 0 {
		return false
	}
	c := q.room()
	if c == nil {
		return false
	}
	longest := maxMessage
	if q.session.MaxMessage() > 0 { // datagrams; what is longer than the path's packets travels in fragments
		longest = MaxDTLS
	}
	for c.fits(maxMessage) {
		stored, ok := q.disk.Next()
		if !ok {
			break
		}
		m, ok := q.disk.keeper.Adopt(stored.Context, stored.Body)
		if !ok || len(stored.Body) > longest {
			q.disk.foreign.Add(stored.Records)
			q.stats.Held.Add(-stored.Records)
			continue
		}
		m.Records = stored.Records
		c.add(stored.Body, m)
		q.waiting += int64(len(stored.Body))
		q.waitingRecords += stored.Records
	}
	if len(c.marks) == 0 {
		q.free = append(q.free, c)
		return false
	}
	c.read = q.disk.Position()
	q.chunks = append(q.chunks, c)
	return true
}

// putAway leaves to a later run what no session has taken and, unless the peer has acknowledged
// everything, what would be sent again after a break.
func (q *Queue) putAway() {
	if q.session != nil && !q.Idle() {
		q.unsend(q.window)
	}
	failed := q.disk.Restore(func(yield func(spool.Message) bool) {
		for q.chunk < len(q.chunks) {
			c := q.chunks[q.chunk]
			for i := q.message; i < len(c.marks); i++ {
				if !yield(q.disk.message(c.message(i), c.marks[i])) {
					return
				}
			}
			q.chunk, q.message = q.chunk+1, 0
		}
	})
	q.disk.failed.Add(failed)
	q.stats.Held.Add(-failed)
	if n := q.disk.Records(); n > 0 {
		q.env.Log.Info("records stay in the spool for the next run", "spool", q.disk.Path(), "records", n)
	}
	q.disk.Close()
	q.clear()
}

// restoring returns how long before a deadline putAway must begin, on a disk that takes 100 MiB a
// second.
func (q *Queue) restoring() time.Duration {
	if q.disk == nil {
		return 0
	}
	return time.Duration(q.waiting) * time.Second / (100 << 20)
}
