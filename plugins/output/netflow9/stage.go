// The output at the end of one stack.

package netflow9

import (
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/uptime"
)

type stage struct {
	o       *output
	encoder *export.Encoder   // nil: the stack has no flows
	events  *export.NATEvents // nil: none are asked for
	shares  *export.Shares
	event   engine.Col[uint32]
	times   *uptime.Times
	wait    bool // rather than drop: the input loses nothing by it
	rows    [engine.BatchSize]engine.Row
}

// stage binds the keys.
func (o *output) stage(p *engine.Binder) *stage {
	s := &stage{o: o, event: engine.Want(p, key.CTEvent), times: uptime.BindTimes(p), shares: export.NewShares(p, len(o.Streams))}
	s.encoder = export.NewFlows(p, &o.templates, export.FlowLayout{
		Direction: o.direction, Totals: o.counters.Totals(p), Choice: export.Choice{Fields: o.fields, FlagOctets: 1, Exporter: &o.Sender}, Uptime: &o.clock.Epoch,
	})
	return s
}

// Consume implements engine.Stage.
func (s *stage) Consume(b *engine.Batch) {
	o, now := s.o, time.Now()
	if s.wait {
		now = o.Wait(now)
	}
	rows, n := s.rows[:copy(s.rows[:], b.Rows())], 0
	var events []engine.Row
	if s.events != nil {
		events, rows = s.events.Split(b, rows, o.Env().Stats)
	}
	have, ev, em := b.Have(), s.event.Of(b), s.event.Mask()
	for _, r := range rows {
		if have[r]&em == 0 || ev[r] != key.EventNew { // no record is made of a connection that has just begun
			rows[n] = r
			n++
		}
	}
	o.Env().Stats.Filtered.Add(len(rows) - n)
	s.times.Encode(&o.clock, b, rows[:n], now, func(rows []engine.Row) {
		s.encode(s.encoder.Encode, b, rows, now)
	})
	if len(events) > 0 { // they tell no uptime, so that any header fits
		s.encode(s.events.Encode, b, events, now)
	}
	o.Pump(now)
}

// encode has rows laid out on the streams that they belong to.
func (s *stage) encode(
	by func(*engine.Batch, []engine.Row, *export.Packer) export.Result, b *engine.Batch, rows []engine.Row, now time.Time,
) {
	o := s.o
	for i, rows := range s.shares.Of(b, rows) {
		res := by(b, rows, o.packers[i])
		o.Env().Stats.Made.Add(res.Second)
		o.noForm.Add(res.NoTemplate)
		o.noRoom.Add(res.TooBig)
		o.Streams[i].Settle(now)
	}
}
