// The messages of a stream, and what its collectors are told besides the records.

package ipfix

import (
	"encoding/binary"
	"time"

	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
	"ulogd/plugins/output/export/stream"
)

// Octets of messages where neither the setting nor the path says.
const (
	tcpMessage   = 8 << 10
	jumboMessage = 9000 - 48 // what collectors have buffers for
)

// limits returns how long messages may be.
func (o *output) limits() stream.Limits {
	switch {
	case o.mtu > 0:
		return stream.Limits{Most: o.mtu}
	case o.datagrams():
		return stream.Limits{Most: jumboMessage, Unknown: stream.UnknownPath}
	}
	return stream.Limits{Most: tcpMessage}
}

// Messages implements stream.Format.
func (o *output) Messages(*stream.Stream) stream.Messages {
	w := &export.Packer{Registry: &o.templates, Announce: o.announce}
	o.packers = append(o.packers, w)
	return w
}

// Peer implements stream.Format.
func (o *output) Peer(s *stream.Stream) stream.Peer { return &peer{o: o, stream: s} }

// Seal implements stream.Format: nothing is known before a message is sent.
func (o *output) Seal([]byte) {}

// peer is what one collector has been told in its present session.
type peer struct {
	o      *output
	stream *stream.Stream
	told   stream.Told

	described uint64 // enterprise elements, by the reporter's bits
	reported  time.Time
}

// Begin implements collector.Protocol. Templates live as long as a session (RFC 7011 section 8):
// none is known now.
func (p *peer) Begin(q *collector.Queue, now time.Time) {
	p.told.Forget(now)
	p.described = 0
	p.stream.Adjust()
	if r := p.o.reporter; r != nil {
		p.reported = now
		r.report(q, p, now)
	}
}

// Doubt implements collector.Protocol.
func (p *peer) Doubt(_ *collector.Queue, now time.Time) {
	p.told.Forget(now)
	p.described = 0
}

// Before implements collector.Protocol: what a message needs and does not bring itself goes ahead
// of it.
func (p *peer) Before(q *collector.Queue, m collector.Mark, now time.Time) {
	o := p.o
	if o.announce == export.Never {
		return
	}
	if p.refreshes() && p.told.DueByNumber(o.refresh, q) {
		p.tell(q, now)
	}
	fresh := m.Needs &^ p.told.Bits
	if fresh == 0 {
		return
	}
	if o.reporter != nil {
		o.reporter.describe(q, p, fresh)
	}
	copies := 1
	if o.datagrams() {
		copies = o.copies
	}
	for i := range copies {
		missing := fresh
		if i == copies-1 && o.reporter == nil { // what is told about a template comes after it
			missing &^= m.Brings
		}
		p.stream.Templates(q, &o.templates, missing)
	}
	p.told.Bits |= fresh
	if o.reporter != nil {
		o.reporter.keys(q, p, fresh)
	}
}

// refreshes reports whether templates are told again: where messages may be lost, and do not bring
// them (RFC 7011 section 8.4).
func (p *peer) refreshes() bool { return p.o.datagrams() && p.o.announce == export.First }

// Refresh implements stream.Peer.
func (p *peer) Refresh(q *collector.Queue, now time.Time) {
	if p.refreshes() && p.told.DueByTime(p.o.refresh, q, now) {
		p.tell(q, now)
	}
	if r := p.o.reporter; r != nil && q.Session() != nil && now.Sub(p.reported) >= p.o.optionsInterval {
		p.reported = now
		r.report(q, p, now)
	}
}

// tell announces all templates that were announced. What describes one is lost as easily as the
// template.
func (p *peer) tell(q *collector.Queue, now time.Time) {
	bits, r := p.told.Bits, p.o.reporter
	if r != nil {
		p.described = 0
		r.describe(q, p, bits)
	}
	p.stream.Templates(q, &p.o.templates, bits)
	if r != nil {
		r.keys(q, p, bits)
	}
	p.told.Refreshed(q, now)
}

// Stamp implements collector.Protocol: export time, sequence number, observation domain (RFC 7011
// section 3.1).
func (p *peer) Stamp(msg []byte, at collector.Position, now time.Time) {
	binary.BigEndian.PutUint32(msg[4:], uint32(now.Unix()))
	binary.BigEndian.PutUint32(msg[8:], at.Records)
	binary.BigEndian.PutUint32(msg[12:], p.o.oid)
}
