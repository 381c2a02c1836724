// Flows whose times are too far from those of the others: each goes into a datagram of its own.

package uptime

import (
	"math"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

// Times are the times that records have, of either direction. Where a flow lacks them the batch's
// clock is told, or none.
type Times struct {
	first      engine.Col[engine.Time] // of the stack's first packet
	start, end engine.Col[engine.Time]
	reply      [2]engine.Col[engine.Time]
	apart      [engine.BatchSize]engine.Row
}

// BindTimes binds their keys.
func BindTimes(p *engine.Binder) *Times {
	return &Times{
		first: engine.Want(p, key.FlowEpoch),
		start: engine.Want(p, key.FlowStart), end: engine.Want(p, key.FlowEnd),
		reply: [2]engine.Col[engine.Time]{engine.Want(p, key.ReplyStart), engine.Want(p, key.ReplyEnd)},
	}
}

// Encode has the rows of a batch encoded by a clock: first those that it can tell, then each other
// one by itself, by a clock of its own.
func (t *Times) Encode(c *Clock, b *engine.Batch, rows []engine.Row, now time.Time, encode func([]engine.Row)) {
	c.set(b, t.packet(b), now)
	rows, apart := t.split(c, b, rows)
	encode(rows)
	for i := range apart {
		present := *c
		c.Finish()
		*c = c.around(t.of(b, apart[i]))
		encode(apart[i : i+1])
		c.Finish()
		*c = present
	}
}

// packet returns the time of the first packet that the stack has seen, as far as it is known.
func (t *Times) packet(b *engine.Batch) engine.Time {
	if r := b.Rows()[0]; t.first.Has(b, r) {
		return t.first.Of(b)[r]
	}
	return engine.Time(b.Clock())
}

// split returns the rows that the clock can tell, in the place of all, and those that it cannot.
// They are valid until the next call.
func (t *Times) split(c *Clock, b *engine.Batch, rows []engine.Row) (fit, apart []engine.Row) {
	fit, apart = rows[:0], t.apart[:0]
	start, end, replyStart, replyEnd, have := t.start.Of(b), t.end.Of(b), t.reply[0].Of(b), t.reply[1].Of(b), b.Have()
	started, ended, replyStarted, replyEnded := t.start.Mask(), t.end.Mask(), t.reply[0].Mask(), t.reply[1].Mask()
	after, until := c.tells()
	for _, r := range rows {
		switch h := have[r]; {
		case h&started != 0 && (start[r] <= after || start[r] > until),
			h&ended != 0 && (end[r] <= after || end[r] > until),
			h&replyStarted != 0 && (replyStart[r] <= after || replyStart[r] > until),
			h&replyEnded != 0 && (replyEnd[r] <= after || replyEnd[r] > until):
			apart = append(apart, r)
		default:
			fit = append(fit, r)
		}
	}
	return fit, apart
}

// of returns the earliest and the latest time of a row that has one.
func (t *Times) of(b *engine.Batch, r engine.Row) (start, end engine.Time) {
	start = math.MaxInt64
	for _, c := range [4]*engine.Col[engine.Time]{&t.start, &t.end, &t.reply[0], &t.reply[1]} {
		if c.Has(b, r) {
			start, end = min(start, c.Of(b)[r]), max(end, c.Of(b)[r])
		}
	}
	return start, end
}
