// Records of translations that begin and end (RFC 8158).

package export

import (
	"encoding/binary"

	"ulogd/engine"
	"ulogd/engine/element"
	"ulogd/engine/key"
)

// Values of natEvent in the IANA registry. The historic ones do not say which kind of translation.
const (
	natCreateHistoric = 1
	natDeleteHistoric = 2
	nat44Create       = 4
	nat44Delete       = 5
)

// NATSettings are the settings of the records of translations.
type NATSettings struct {
	events   string
	historic bool
}

// Options declares the settings.
func (s *NATSettings) Options(o *engine.Options) {
	o.BoolOr(&s.events, "nat_events", false, "only",
		"add natEvent records of translations that begin and end (RFC 8158); only: send these and no flow records")
	o.Bool(&s.historic, "nat_events_historic", false,
		"number them 1 and 2, as old collectors expect, instead of 4 and 5; IPv6 translations always have 1 and 2, "+
			"as the registry has no others")
}

// Asked reports whether records of translations are to be sent.
func (s *NATSettings) Asked() bool { return s.events != "false" }

// Bind binds the keys of translations in a stack; nil: none are asked for, or the stack has none,
// which is its problem.
func (s *NATSettings) Bind(p *engine.Binder, g *Templates) *NATEvents {
	if !s.Asked() {
		return nil
	}
	e := NewNATEvents(p, g, s.historic)
	if e == nil {
		p.Problem("nat_events: only connections can be translated; they come from NFCT")
		return nil
	}
	e.only = s.events == "only"
	return e
}

// NATEvents writes a record for each translated connection that begins or has ended.
type NATEvents struct {
	Encoder
	event engine.Col[uint32]
	only  bool // no flow records are to be made
	rows  [engine.BatchSize]engine.Row
}

// NewNATEvents binds the keys of translations; historic numbers the events 1 and 2 as old
// collectors expect. It returns nil if the stack does not have both tuples of connections and what
// happened to them.
func NewNATEvents(p *engine.Binder, g *Templates, historic bool) *NATEvents {
	e := &NATEvents{event: engine.Want(p, key.CTEvent)}
	engine.Want(p, key.CTTranslations) // so that NFCT reports what begins, too
	e.bindFamily(p)
	f := bindFlow(p, &e.shapes)
	if !f.osrc.Given() || !f.rsrc.Given() || !e.event.Given() {
		return nil
	}
	e.compare = true
	e.osrc, e.odst, e.rsrc, e.rdst = f.osrc, f.odst, f.rsrc, f.rdst
	e.osport, e.odport, e.rsport, e.rdport = f.osport, f.odport, f.rsport, f.rdport
	when := eventTime{f.event, f.start, f.end, engine.Want(p, key.CTEnd)}
	var l items
	l.one(element.ObservationTimeMilliseconds, from(when, f.event.Mask()))
	l.one(element.SourceIPv4Address, col(f.osrc))
	l.one(element.SourceIPv6Address, col(f.osrc))
	l.one(element.PostNATSourceIPv4Address, col(f.rdst))
	l.one(element.PostNATSourceIPv6Address, col(f.rdst))
	l.one(element.DestinationIPv4Address, col(f.odst))
	l.one(element.DestinationIPv6Address, col(f.odst))
	l.one(element.PostNATDestinationIPv4Address, col(f.rsrc))
	l.one(element.PostNATDestinationIPv6Address, col(f.rsrc))
	l.one(element.ProtocolIdentifier, col(f.proto))
	l.one(element.SourceTransportPort, col(f.osport))
	l.one(element.PostNAPTSourceTransportPort, col(f.rdport))
	l.one(element.DestinationTransportPort, col(f.odport))
	l.one(element.PostNAPTDestinationTransportPort, col(f.rsport))
	kind4, kind6 := natEvent{f.event, nat44Create, nat44Delete}, natEvent{f.event, natCreateHistoric, natDeleteHistoric}
	if historic {
		kind4 = kind6
	}
	l.one(element.NATEvent, from(kind4, f.event.Mask())).off = is6 | noIP
	l.one(element.NATEvent, from(kind6, f.event.Mask())).when(is6)
	e.shapes.init(l, g)
	return e
}

// Split returns which of the rows become records of translations, and which may become flow records
// besides, and counts what neither will.
func (e *NATEvents) Split(b *engine.Batch, rows []engine.Row, stats *engine.Stats) (events, flows []engine.Row) {
	events = e.Rows(b, rows)
	if e.only {
		stats.Filtered.Add(len(rows) - len(events))
		return events, rows[:0]
	}
	stats.Made.Add(len(events))
	return events, rows
}

// Rows returns those of the rows that are translated connections which begin or have ended; the
// slice is valid until the next call.
func (e *NATEvents) Rows(b *engine.Batch, rows []engine.Row) []engine.Row {
	e.classify(b, rows)
	have, m, ev, n := b.Have(), e.event.Mask(), e.event.Of(b), 0
	for _, r := range rows {
		if e.variants[r]&nat != 0 && have[r]&m != 0 && (ev[r] == key.EventNew || ev[r] == key.EventDestroy) {
			e.rows[n] = r
			n++
		}
	}
	return e.rows[:n]
}

// natEvent writes whether a translation begins or has ended.
type natEvent struct {
	event          engine.Col[uint32]
	create, delete byte
}

func (f natEvent) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	ev := f.event.Of(b)
	for _, s := range spots {
		buf[int(s.pos)+off] = f.delete
		if ev[s.row] == key.EventNew {
			buf[int(s.pos)+off] = f.create
		}
	}
}

// eventTime writes when the connection began or ended; where nobody knows, the time of the batch.
type eventTime struct {
	event      engine.Col[uint32]
	start, end engine.Col[engine.Time]
	entry      engine.Col[engine.Time] // the translation's end, which comes a timeout after the last packet
}

func (f eventTime) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	have, ev, st, en := b.Have(), f.event.Of(b), f.start.Of(b), f.end.Of(b)
	sm, em := f.start.Mask(), f.end.Mask()
	for _, s := range spots {
		t := engine.Time(b.Clock())
		switch {
		case ev[s.row] == key.EventNew && have[s.row]&sm != 0:
			t = st[s.row]
		case ev[s.row] != key.EventNew && f.entry.Has(b, s.row):
			t = f.entry.Of(b)[s.row]
		case ev[s.row] != key.EventNew && have[s.row]&em != 0:
			t = en[s.row]
		}
		binary.BigEndian.PutUint64(buf[int(s.pos)+off:], uint64(t)/1e6)
	}
}
