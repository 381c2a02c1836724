// FLOW at work: what happens to a batch of packets, by the clock and at the end.

package flow

import (
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

// stage is FLOW at one place of one stack, or one of its copies.
type stage struct {
	in       inputs
	timeline *timeline
	dealt    bool // a dealer in front of the copies runs the timeline
	front    *front
	cache    *cache

	readable
	looks    [engine.BatchSize]lookup
	hash     [engine.BatchSize]uint32
	instants [engine.BatchSize]instant
	since    time.Time // of the last batch of a live input
	packet   arrival

	doubt doubtful
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Opener  = (*stage)(nil)
	_ engine.Ticker  = (*stage)(nil)
	_ engine.Flusher = (*stage)(nil)
	_ engine.Closer  = (*stage)(nil)
	_ engine.Querier = (*stage)(nil)
)

// doubtful is a packet that waits until it is known what time it was.
type doubtful struct {
	waits  bool
	n      uint32 // of those that the timeline had doubts of
	packet arrival
	tuple  key.Tuple
	look   lookup
}

// inputs are the keys of packets that the cache reads.
type inputs struct {
	tuple    engine.Col[key.Tuple]
	octets   engine.Col[uint32]
	flags    engine.Col[uint16]
	time     engine.Col[engine.Time]
	cut      engine.Col[bool]
	ifout    engine.Col[uint32]
	segments engine.Col[uint32]
	instant  engine.Col[instant] // by the dealer
	hops     hopColumns

	unreadable                *engine.Drop
	notIP, filtered, absorbed *engine.Counter
}

func (f *flow) inputs(p *engine.Binder, hopsWanted func() bool) inputs {
	st := p.Stats()
	return inputs{
		tuple:    engine.Need(p, key.FlowTuple),
		octets:   engine.Need(p, key.FlowOctets),
		flags:    engine.Want(p, key.TCPFlags),
		time:     engine.Want(p, key.OOBTime),
		cut:      engine.Want(p, key.FlowCut),
		ifout:    engine.Want(p, key.OOBIfOut),
		segments: engine.Want(p, key.FlowSegments),
		instant:  engine.Want(p, instantKey),
		hops:     bindHops(p, hopsWanted),

		unreadable: st.Drop("unreadable", "IP packets whose header is not there as a whole, or cannot be true"),
		notIP:      st.Counter("not_ip", "packets that are not IP, which are filtered"),
		filtered:   &st.Filtered,
		absorbed:   &st.Absorbed,
	}
}

// linkWanted reports whether the cache needs marks and hardware addresses.
func (s *stage) linkWanted() bool { return s.cache.linkWanted() }

// labelsWanted reports whether somebody reads MPLS labels.
func (s *stage) labelsWanted() bool { return s.cache.out.labels.wanted() }

// hopsWanted reports whether somebody reads times to live.
func (s *stage) hopsWanted() bool { return s.cache.out.hops.wanted() }

// Open takes the memory.
func (s *stage) Open(*engine.Env) error {
	s.cache.counts.most.Add(s.cache.slots)
	return s.cache.open()
}

// Close gives it back.
func (s *stage) Close() error {
	s.cache.counts.most.Add(-s.cache.slots)
	return s.cache.close()
}

func (s *stage) Consume(b *engine.Batch) {
	c := s.cache
	at := &s.instants
	if s.dealt {
		at = s.in.instant.Of(b)
	} else {
		s.timeline.observe(b, s.in.time, at)
	}
	if c.replay = b.Replay(); !c.replay {
		s.since = time.Now()
	}
	s.front.prepare(b, &s.readable, &s.looks, &s.hash, at)
	s.count(b)
	c.begin(&at[b.Rows()[0]])
	s.settleDoubt()
	rows := s.rows[:s.n]
	c.locate(rows, &s.looks, &s.hash)
	done := 0
	for _, g := range s.given() {
		c.update(b, s, rows[done:g.before], at)
		done = g.before
		s.give(&g)
	}
	c.update(b, s, rows[done:], at)
	if s.readable.doubt {
		s.wait(b, s.rows[s.n], at)
	}
	c.pass(at[b.Rows()[b.Len()-1]].clock)
	s.expire(c.clock, false) // what was held came before the flows' ends that are found now
	c.sweep()
	c.settle()
}

// given lists the fragments that are counted before the rows that they name.
func (s *stage) given() []given {
	if s.front.frags == nil {
		return nil
	}
	return s.front.frags.given
}

// give counts a fragment that was held.
func (s *stage) give(g *given) {
	var look lookup
	a := s.front.arrival(g, &look)
	s.cache.add(&a)
}

// wait keeps a packet whose time is in doubt.
func (s *stage) wait(b *engine.Batch, r engine.Row, at *[engine.BatchSize]instant) {
	t := engine.Time(b.Clock())
	if s.in.time.Has(b, r) {
		t = s.in.time.Of(b)[r]
	}
	d := &s.doubt
	d.waits, d.n = true, at[r].number
	d.packet = *s.arrival(b, r, 0, t, at[r].step)
	d.tuple, d.look = *d.packet.tuple, *d.packet.look
	d.packet.tuple, d.packet.look = &d.tuple, &d.look
}

// settleDoubt counts the packet that waits.
func (s *stage) settleDoubt() {
	d := &s.doubt
	if !d.waits {
		return
	}
	d.waits = false
	d.packet.clock, d.packet.time = s.timeline.verdict(d.n, d.packet.time)
	s.cache.pass(d.packet.clock)
	s.cache.add(&d.packet)
}

// expire counts the fragments that have been held long enough, or all of them.
func (s *stage) expire(clock int64, all bool) {
	f := s.front.frags
	if f == nil {
		return
	}
	f.given = f.given[:0]
	f.expire(clock, 0)
	for all && f.first != f.behind {
		f.give(0, clock)
	}
	for i := range f.given {
		s.give(&f.given[i])
	}
}

// count counts the packets: those that go into flows, and those that cannot.
func (s *stage) count(b *engine.Batch) {
	readable := s.n + s.held
	if s.readable.doubt {
		readable++
	}
	s.in.absorbed.Add(readable)
	without := b.Len() - readable
	if without == 0 {
		return
	}
	have, bit, cut := b.Have(), s.in.tuple.Mask(), 0
	for _, r := range b.Rows() {
		if have[r]&bit == 0 && s.in.cut.Has(b, r) {
			cut++
		}
	}
	s.in.unreadable.Add(cut)
	s.in.notIP.Add(without - cut)
	s.in.filtered.Add(without - cut)
}

// Tick ends flows by the clock while the input is live, and hands on what has ended since the last
// time.
func (s *stage) Tick(now time.Time) {
	c := s.cache
	if !c.replay && c.started {
		c.clock += max(0, int64(now.Sub(s.since)))
		s.since = now
		s.expire(c.clock, false)
		c.sweep()
	}
	c.settle()
	c.show()
	c.out.flush()
}

// Flush ends all flows: the input has come to its end, or the daemon stops.
func (s *stage) Flush() {
	c := s.cache
	c.pass(s.timeline.final.Load())
	s.settleDoubt()
	s.expire(c.clock, true)
	c.endAll()
	c.settle()
	c.show()
	c.out.flush()
}
