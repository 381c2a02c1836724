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
	dealt bool
	cache *cache

	rows  [engine.BatchSize]engine.Row
	hash  [engine.BatchSize]uint32
	about [engine.BatchSize]about
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

	// By the dealer.
	hash  engine.Col[uint32]
	about engine.Col[uint64]
	epoch engine.Col[engine.Time]

	unreadable                *engine.Drop
	notIP, filtered, absorbed *engine.Counter
}

func (f *flow) inputs(p *engine.Binder) inputs {
	st := p.Stats()
	return inputs{
		tuple:  engine.Need(p, key.FlowTuple),
		octets: engine.Need(p, key.FlowOctets),
		flags:  engine.Want(p, key.TCPFlags),
		time:   engine.Want(p, key.OOBTime),
		cut:    engine.Want(p, key.FlowCut),
		mark:   engine.Want(p, key.OOBMark),
		mac:    engine.Want(p, key.RawMAC),
		hash:   engine.Want(p, key.FlowHash),
		about:  engine.Want(p, aboutKey),
		epoch:  engine.Want(p, key.FlowEpoch),

		unreadable: st.Drop("unreadable", "IP packets whose header is not there as a whole, or cannot be true"),
		notIP:      st.Counter("not_ip", "packets that are not IP, which are filtered"),
		filtered:   &st.Filtered,
		absorbed:   &st.Absorbed,
	}
}

// Open takes the memory.
func (s *stage) Open(*engine.Env) error { return s.cache.open() }

// Close gives it back.
func (s *stage) Close() error { return s.cache.close() }

func (s *stage) Consume(b *engine.Batch) {
	c := s.cache
	rows := s.readable(b)
	if len(rows) == 0 {
		return
	}
	hash, abouts := &s.hash, &s.about
	if s.dealt {
		hash, abouts = s.in.hash.Of(b), s.in.about.Of(b)
		c.epoch = s.in.epoch.Of(b)[rows[0]]
	} else {
		s.front.prepare(b, rows, hash, abouts)
		c.epoch = s.front.first
	}
	c.begin(b, s.timeOf(b, rows[0]))
	c.locate(rows, hash)
	c.update(b, &s.in, rows, hash, abouts)
	if c.replay && s.dealt {
		c.clock = max(c.clock, b.Clock()) // the packets of other workers move it too
	}
	c.sweep()
	c.settle()
}

// readable returns the rows with a tuple, and counts the others.
func (s *stage) readable(b *engine.Batch) []engine.Row {
	have, bit := b.Have(), s.in.tuple.Mask()
	n := 0
	for _, r := range b.Rows() {
		s.rows[n%engine.BatchSize] = r
		if have[r]&bit != 0 {
			n++
		}
	}
	if without := b.Len() - n; without > 0 {
		cut := 0
		for _, r := range b.Rows() {
			if have[r]&bit == 0 && s.in.cut.Has(b, r) {
				cut++
			}
		}
		s.in.unreadable.Add(cut)
		s.in.notIP.Add(without - cut)
		s.in.filtered.Add(without - cut)
	}
	s.in.absorbed.Add(n)
	return s.rows[:n]
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
