// When a queue's datagrams leave at a measured pace, and what it does about those that could not
// leave.

package collector

import (
	"errors"
	"time"
)

// A Pace says how fast datagrams leave.
type Pace struct {
	Rate   int  // records a second; 0: as fast as the session takes them
	Always bool // else only what had to wait because nothing could be sent, and what is left at the end of the daemon
}

// Pace sets how fast datagrams leave. Streams have their own pace, the reader's.
func (q *Queue) Pace(p Pace) { q.pace = p }

// wantsPace reports whether datagrams have to be paced now.
func (q *Queue) wantsPace() bool {
	return q.pace.Rate > 0 && (q.pace.Always || q.backlog || !q.env.Deadline().IsZero())
}

// watch sees to what a session of datagrams has met since the last call: what was sent meanwhile,
// what could not be sent, and refusals.
func (q *Queue) watch(now time.Time) error {
	d, ok := q.session.(datagramSession)
	if !ok {
		return nil
	}
	if q.pacer != nil {
		sent, idle, refused, late, err := q.pacer.state()
		if sent.messages > q.counted.messages && late == nil {
			q.canSend(now)
		}
		q.countPaced(sent)
		switch {
		case err != nil:
			return err
		case refused:
			q.recall()
			q.doubt(now)
		case late != nil:
			q.cannotSend(late, now)
		case idle && q.waiting == 0:
			if q.backlog = false; !q.wantsPace() && len(q.controls) == 0 {
				q.recall()
			}
		}
	}
	if d.Refused() != q.refusals {
		q.doubt(now)
	}
	if q.pacer == nil && q.wantsPace() {
		q.startPacer(q.doubted)
	}
	return nil
}

// countPaced counts records that the pacer has sent since the last call.
func (q *Queue) countPaced(sent paced) {
	n := sent.records - q.counted.records
	q.counted = sent
	q.stats.Out.Add(n)
	q.stats.Held.Add(-n)
}

// recall ends the pacing, and makes what the pacer has not sent the next to send. Its templates are
// lost.
func (q *Queue) recall() {
	p := q.pacer
	if p == nil {
		return
	}
	p.stop()
	sent, _, _, _, _ := p.state()
	q.countPaced(sent)
	arrived := p.base + sent.octets
	records, messages := q.takeBack(Window{}, arrived), q.handed-sent.messages
	q.at.Records -= uint32(records)
	q.at.Messages -= uint32(messages)
	q.sent.Records -= uint64(records)
	q.sent.Messages -= uint64(messages)
	q.sent.Octets -= uint64(q.taken - arrived)
	q.taken = arrived
	q.pacer = nil
}

// doubt has everything told again that the collector must know: its host has refused a datagram, so
// that whoever listens there next is new.
func (q *Queue) doubt(now time.Time) {
	q.refusals = q.session.(datagramSession).Refused()
	q.doubted = true
	q.tellAgain(now)
	if l, ok := q.link.(*Connector); ok {
		l.lookup.Soon()
	}
	q.log.refused(now)
}

// tellAgain has everything told that the collector must know. A host refuses no more than a datagram a second (Linux,
// icmp_ratelimit): what was told after the last refusal may have met nobody either, so that it is told once more when
// there was none for some time.
func (q *Queue) tellAgain(now time.Time) {
	if q.session == nil {
		return
	}
	if q.env.Deadline().IsZero() { // at the end nobody comes any more
		q.telling = toLearnAgain
	}
	q.protocol.Doubt(q, now)
}

// send hands messages to the session, or to what paces it.
func (q *Queue) send(p []byte, pieces []Piece) (int, error) {
	if q.pacer == nil {
		return q.session.Send(p, pieces)
	}
	n, err := q.pacer.send(p, pieces)
	for left := n; left > 0; q.handed++ {
		left -= int(pieces[0].Length)
		pieces = pieces[1:]
	}
	return n, err
}

// cannotSend notes that the session is whole but takes nothing now.
func (q *Queue) cannotSend(err error, now time.Time) {
	q.backlog = true
	q.log.late(err, now)
}

// canSend notes that it takes messages.
func (q *Queue) canSend(now time.Time) { q.log.onTime(now) }

// adapt sets the pace: a backlog goes out beside what comes in, and faster if the daemon has to end
// before.
func (q *Queue) adapt(now time.Time) {
	dt := now.Sub(q.adapted).Seconds()
	if dt < 0.05 {
		return
	}
	q.incoming = (q.incoming + float64(q.added)/dt) / 2
	q.added, q.adapted = 0, now
	if q.pacer == nil {
		return
	}
	rate := float64(q.pace.Rate)
	if !q.pace.Always {
		rate += q.incoming
	}
	if by := q.env.StopBy(); !by.IsZero() {
		left := float64(q.waitingRecords + q.pacer.records())
		if fits := left / max(by.Sub(now).Seconds()-stopMargin, 0.01); fits > rate {
			rate = fits
			q.log.hurried(left)
		}
	}
	q.pacer.setRate(rate)
}

// stopMargin is the part of shutdown_timeout, in seconds, that is left for those behind us.
const stopMargin = 0.5

// passing takes an error that is of the moment for none.
func (q *Queue) passing(err error, now time.Time) error {
	if err == nil {
		return nil
	}
	if later := (*LaterError)(nil); !errors.As(err, &later) {
		return err
	}
	q.cannotSend(err, now)
	return nil
}
