// The messages of a stream, and what its collectors are told besides the records.

package netflow9

import (
	"encoding/binary"
	"time"

	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
	"ulogd/plugins/output/export/stream"
)

// longestMessage makes packets of Ethernet's length, as collectors expect of this protocol.
const longestMessage = 1500 - 48

// Messages implements stream.Format.
func (o *output) Messages(*stream.Stream) stream.Messages {
	w := &export.Packer{Registry: &o.templates, Announce: export.First}
	o.packers = append(o.packers, w)
	return w
}

// Peer implements stream.Format.
func (o *output) Peer(s *stream.Stream) stream.Peer { return &peer{o: o, stream: s} }

// peer is what one collector has been told.
type peer struct {
	o      *output
	stream *stream.Stream
	told   stream.Told
	before uint32 // messages of earlier sessions: the sequence counts on (RFC 3954 section 5.1)
}

// Begin implements collector.Protocol.
func (p *peer) Begin(q *collector.Queue, now time.Time) {
	p.before = uint32(q.Sent().Messages)
	p.told.Forget(now)
	p.stream.Adjust()
}

// Doubt implements collector.Protocol.
func (p *peer) Doubt(_ *collector.Queue, now time.Time) { p.told.Forget(now) }

// Before implements collector.Protocol: options records ahead of all others, templates again after
// so many messages, and those that the message needs and does not bring. Until there is a first
// message nobody knows whether a replayed file's time is to be told.
func (p *peer) Before(q *collector.Queue, m collector.Mark, now time.Time) {
	if r := p.o.reporter; r != nil && p.told.Bits == 0 {
		p.told.Bits = r.known
		r.settings(q, p)
		r.figures(q, p)
	}
	if p.told.DueByNumber(p.o.refresh, q) {
		p.tell(q, now)
	}
	fresh := m.Needs &^ p.told.Bits
	p.told.Bits |= fresh
	p.stream.Templates(q, &p.o.templates, fresh&^m.Brings)
}

// Refresh implements stream.Peer.
func (p *peer) Refresh(q *collector.Queue, now time.Time) {
	if !p.told.DueByTime(p.o.refresh, q, now) {
		return
	}
	p.tell(q, now)
	if r := p.o.reporter; r != nil {
		r.figures(q, p)
	}
}

// tell announces all templates, and sends what holds for all records.
func (p *peer) tell(q *collector.Queue, now time.Time) {
	p.stream.Templates(q, &p.o.templates, p.told.Bits)
	if r := p.o.reporter; r != nil {
		r.settings(q, p)
	}
	p.told.Refreshed(q, now)
}

// Stamp implements collector.Protocol: time, the number of messages before, source id.
func (p *peer) Stamp(msg []byte, at collector.Position, now time.Time) {
	p.o.stamp(msg, now)
	binary.BigEndian.PutUint32(msg[12:], p.before+at.Messages)
	binary.BigEndian.PutUint32(msg[16:], p.o.sourceID)
}
