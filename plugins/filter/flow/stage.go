package flow

import (
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

// stage is FLOW at one place of one stack, or one of its copies.
type stage struct {
	in    inputs
	front *front // nil if a dealer runs in front of the copies
	cache *cache

	readable
	looks [engine.BatchSize]lookup
	hash  [engine.BatchSize]uint32
}

// inputs are the keys of packets that the cache reads.
type inputs struct {
	tuple  engine.Col[key.Tuple]
	octets engine.Col[uint32]
	flags  engine.Col[uint16]
	time   engine.Col[engine.Time]
	cut    engine.Col[bool]
	mark   engine.Col[uint32]
	mac    engine.Col[engine.Raw]
	ifout  engine.Col[uint32]

	// By the dealer.
	hash  engine.Col[uint32]
	look  engine.Col[lookup]
	epoch engine.Col[engine.Time]

	unreadable                *engine.Drop
	notIP, filtered, absorbed *engine.Counter
}

func (f *flow) inputs(p *engine.Binder, linkWanted func() bool) inputs {
	st := p.Stats()
	return inputs{
		tuple:  engine.Need(p, key.FlowTuple),
		octets: engine.Need(p, key.FlowOctets),
		flags:  engine.Want(p, key.TCPFlags),
		time:   engine.Want(p, key.OOBTime),
		cut:    engine.Want(p, key.FlowCut),
		mark:   engine.WantIf(p, key.OOBMark, linkWanted),
		mac:    engine.WantIf(p, key.RawMAC, linkWanted),
		ifout:  engine.Want(p, key.OOBIfOut),
		hash:   engine.Want(p, key.FlowHash),
		look:   engine.Want(p, lookKey),
		epoch:  engine.Want(p, key.FlowEpoch),

		unreadable: st.Drop("unreadable", "IP packets whose header is not there as a whole, or cannot be true"),
		notIP:      st.Counter("not_ip", "packets that are not IP, which are filtered"),
		filtered:   &st.Filtered,
		absorbed:   &st.Absorbed,
	}
}

// linkWanted tells whether the cache needs marks and hardware addresses.
func (s *stage) linkWanted() bool { return s.cache.linkWanted() }

// Open takes the memory.
func (s *stage) Open(*engine.Env) error { return s.cache.open() }

// Close gives it back.
func (s *stage) Close() error { return s.cache.close() }

func (s *stage) Consume(b *engine.Batch) {
	c := s.cache
	looks, hash := &s.looks, &s.hash
	if s.front != nil {
		s.front.prepare(b, &s.readable, looks, hash)
		c.epoch = s.front.first
	} else {
		s.dealt(b)
		looks, hash = s.in.look.Of(b), s.in.hash.Of(b)
	}
	s.count(b, s.n)
	if s.n == 0 {
		return
	}
	rows := s.rows[:s.n]
	c.begin(b, s.timeOf(b, rows[0]))
	c.locate(rows, looks, hash)
	c.update(b, &s.in, rows, looks, hash)
	if s.front == nil && c.replay {
		c.clock = max(c.clock, b.Clock()) // the packets of other workers move it too
	}
	c.sweep()
	c.settle()
}

// dealt lists the rows that the dealer has prepared.
func (s *stage) dealt(b *engine.Batch) {
	have, bit := b.Have(), s.in.hash.Mask()
	n := 0
	for _, r := range b.Rows() {
		s.rows[n%engine.BatchSize] = r
		if have[r]&bit != 0 {
			n++
		}
	}
	if s.n = n; n > 0 {
		s.cache.epoch = s.in.epoch.Of(b)[s.rows[0]]
	}
}

// count counts the packets: those that go into flows, and those that cannot.
func (s *stage) count(b *engine.Batch, readable int) {
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

func (s *stage) timeOf(b *engine.Batch, r engine.Row) engine.Time {
	if s.in.time.Has(b, r) {
		return s.in.time.Of(b)[r]
	}
	return engine.Time(b.Clock())
}

// Tick ends flows by the clock while the input is live, and hands on what has ended since the last time.
func (s *stage) Tick(now time.Time) {
	c := s.cache
	if !c.replay && c.started {
		c.clock = max(c.clock, now.UnixNano())
		c.sweep()
	}
	c.settle()
	c.out.flush()
}

// Flush ends all flows: the input has come to its end, or the daemon stops.
func (s *stage) Flush() {
	s.cache.endAll()
	s.cache.settle()
	s.cache.out.flush()
}
