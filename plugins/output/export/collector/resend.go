// What happens to messages after they were sent, and when their session breaks.

package collector

import "time"

// unsend makes the messages that the session may have lost the next to send: those not
// acknowledged, and before them those of the window.
func (q *Queue) unsend(w Window) {
	q.part = 0
	q.dropControl()
	q.recall()
	if records := q.takeBack(w, q.session.Acked()); records > 0 {
		q.stats.Made.Add(records)
		q.stats.Held.Add(records)
		q.resent.Add(records)
	}
}

// takeBack makes messages the next to send, those not acknowledged and those of the window, and
// returns how many records they have.
func (q *Queue) takeBack(w Window, acked int64) (records int) {
	since := ticks(time.Now().Add(-w.Time))
	var behind int64 // octets that have arrived, after the message looked at
	for {
		ci, mi := q.chunk, q.message
		if mi == 0 {
			if ci == 0 {
				break
			}
			ci--
			mi = len(q.chunks[ci].marks)
		}
		if ci >= len(q.chunks) || mi == 0 {
			break
		}
		m := &q.chunks[ci].marks[mi-1]
		if m.session != q.number || m.end <= acked {
			if behind >= w.Octets && (m.sent < since || w.Time == 0) {
				break
			}
			behind += int64(m.length)
		}
		q.chunk, q.message = ci, mi-1
		q.waiting += int64(m.length)
		records += m.Records
	}
	q.waitingRecords += records
	return records
}

// trim lets go of chunks that will not be sent again.
func (q *Queue) trim(now time.Time) {
	if q.chunk == 0 {
		return
	}
	var behind int64
	keep, acked := q.chunk, q.acked()
	for keep > 0 && behind < q.window.Octets {
		keep--
		if q.arrived(q.chunks[keep], acked) {
			behind += int64(len(q.chunks[keep].data))
		}
	}
	for since := ticks(now.Add(-q.window.Time)); keep > 0; keep-- {
		c := q.chunks[0]
		if !q.arrived(c, acked) || q.window.Time > 0 && c.last().sent >= since {
			return
		}
		q.forget()
	}
}

// Finish pumps queues until everything is sent and received, or until the deadline of the final
// flush; what is left then stays in their spools, or is dropped and counted. It is called once, at
// the end.
func Finish(queues ...*Queue) {
	const poll = 2 * time.Millisecond
	for {
		busy := false
		for _, q := range queues {
			q.Tick(time.Now())
			busy = busy || q.busy()
		}
		if !busy {
			break
		}
		time.Sleep(poll)
	}
	for _, q := range queues {
		q.recall()
		if q.disk != nil {
			q.putAway()
		} else {
			q.abandon()
		}
		if q.session != nil {
			q.session.Shutdown()
		}
	}
}

// busy reports whether it is worth while, and still allowed, to go on.
func (q *Queue) busy() bool {
	d := q.env.Deadline()
	if q.pacer != nil && q.log.lateSince.IsZero() { // it comes to an end by itself
		d = q.env.StopBy()
	}
	if q.Idle() || !d.IsZero() && !time.Now().Add(q.restoring()).Before(d) {
		return false
	}
	return q.session != nil || q.link.Dialing() || q.retryable()
}

// retryable reports whether an attempt to connect will come due before the deadline.
func (q *Queue) retryable() bool {
	d := q.env.Deadline()
	return q.pending() && (d.IsZero() || q.link.Due().Before(d))
}

// abandon counts what is still waiting as dropped, and what a stream has not acknowledged: its peer may have it, but
// nobody says so.
func (q *Queue) abandon() {
	if q.session != nil && !q.Idle() {
		n := q.takeBack(Window{}, q.session.Acked())
		q.stats.Made.Add(n) // they count as sent already
		q.stats.Held.Add(n)
	}
	late := q.stats.Drop("collector_away", "records that their collector had not taken when the daemon ended")
	records := 0
	for i := q.chunk; i < len(q.chunks); i++ {
		first := 0
		if i == q.chunk {
			first = q.message
		}
		for _, m := range q.chunks[i].marks[first:] {
			records += m.Records
		}
	}
	late.Add(records)
	q.stats.Held.Add(-records)
	q.clear()
}

// clear forgets all messages.
func (q *Queue) clear() {
	q.chunks, q.chunk, q.message, q.part, q.waiting, q.waitingRecords = nil, 0, 0, 0, 0, 0
}

// Close ends the session.
func (q *Queue) Close() error { return q.link.Close() }
