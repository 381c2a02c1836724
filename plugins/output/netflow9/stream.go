// From records to collectors.

package netflow9

import (
	"encoding/binary"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
)

// stream builds messages, of which each of its queues gets a copy.
type stream struct {
	o       *output
	builder export.Builder
	queues  []*collector.Queue
	peers   []*peer
	add     func(msg []byte, m collector.Mark) // s.enqueue, made once
	began   time.Time                          // when the first record of the open message came
}

// Octets of a message where no path has said yet, and at most: packets of Ethernet's length, as collectors expect of this protocol.
const (
	unknownMessage = 512 - 48
	longestMessage = 1500 - 48
)

// newStreams makes one stream for all collectors, or in balance one for each.
func newStreams(o *output) (streams []*stream) {
	for range o.Addresses {
		s := &stream{o: o}
		s.builder = export.Builder{Registry: &o.registry, Announce: export.First, Limit: unknownMessage}
		s.add = s.enqueue
		streams = append(streams, s)
		if o.mode != "balance" {
			break
		}
	}
	return streams
}

// open adds a collector.
func (s *stream) open(a collector.Address, dial collector.Dial) {
	p := &peer{s: s}
	link := collector.NewLink(s.o.env, s.o.ReconnectInterval, []string{a.String()}, dial)
	s.peers = append(s.peers, p)
	s.queues = append(s.queues, collector.NewQueue(s.o.env, link, p, s.o.Buffer, collector.Window{}))
}

// room tells whether every queue has room for what a batch may become.
func (s *stream) room() bool {
	const batch = 2 * engine.BatchSize * 256
	for _, q := range s.queues {
		if !q.Room(batch) {
			return false
		}
	}
	return true
}

// limit sets the length of messages by the setting and by what every path allows.
func (s *stream) limit() {
	limit, known := s.o.mtu, false
	for _, q := range s.queues {
		if x := q.Session(); x != nil {
			limit, known = min(limit, x.MaxMessage()), true
		}
	}
	if !known {
		limit = min(limit, unknownMessage)
	}
	s.builder.Limit = limit
}

func (s *stream) enqueue(msg []byte, m collector.Mark) {
	s.o.finish(msg)
	s.o.env.Stats.Made.Add((len(s.queues) - 1) * m.Records)
	for _, q := range s.queues {
		q.Add(msg, m)
	}
}

// settle queues the finished messages and counts what waits in the open one, where so many records were before.
func (s *stream) settle(before int, now time.Time) {
	s.builder.Take(s.add)
	if pending := s.builder.Pending(); pending != before {
		if before == 0 || pending < before {
			s.began = now
		}
		s.o.env.Stats.Held.Add(pending - before)
	}
}

// finish closes the open message and queues it.
func (s *stream) finish() {
	before := s.builder.Pending()
	s.builder.Finish()
	s.settle(before, time.Time{})
}

func (s *stream) tick(now time.Time) {
	if s.builder.Pending() > 0 && now.Sub(s.began) >= s.o.flushInterval {
		s.finish()
	}
	for i, q := range s.queues {
		s.peers[i].refresh(q, now)
		q.Tick(now)
	}
	s.limit()
}

// peer is what one collector has been told.
type peer struct {
	s         *stream
	announced uint64 // templates, by their bits
	refreshed time.Time
	at        uint32 // position of the last refresh
	before    uint32 // messages of earlier sessions: the sequence counts on (RFC 3954 section 5.1)
}

// Begin implements collector.Protocol.
func (p *peer) Begin(q *collector.Queue, now time.Time) {
	p.before = uint32(q.Sent().Messages)
	p.announced, p.refreshed, p.at = 0, now, 0
	p.s.limit()
}

// Before implements collector.Protocol: options records ahead of all others, templates again after so many messages, and those that the message needs and
// does not bring. Until there is a first message nobody knows whether a replayed file's time is to be told.
func (p *peer) Before(q *collector.Queue, m collector.Mark, _ time.Time) {
	if r := p.s.o.reporter; r != nil && p.announced == 0 {
		p.announced = r.known
		r.settings(q, p)
		r.figures(q, p)
	}
	if n := p.s.o.refreshCount; q.Position().Messages-p.at >= uint32(n) {
		p.tell(q)
	}
	fresh := m.Needs &^ p.announced
	p.announced |= fresh
	p.send(q, fresh&^m.Brings)
}

// refresh announces all templates again when it is time (RFC 3954 section 7).
func (p *peer) refresh(q *collector.Queue, now time.Time) {
	if q.Session() == nil || p.announced == 0 || now.Sub(p.refreshed) < p.s.o.refresh {
		return
	}
	p.refreshed = now
	p.tell(q)
	if r := p.s.o.reporter; r != nil {
		r.figures(q, p)
	}
}

// tell announces all templates, and sends what holds for all records.
func (p *peer) tell(q *collector.Queue) {
	p.send(q, p.announced)
	if r := p.s.o.reporter; r != nil {
		r.settings(q, p)
	}
	p.at = q.Controlled()
}

func (p *peer) send(q *collector.Queue, bits uint64) {
	for _, msg := range p.s.o.registry.TemplateMessages(bits, p.s.builder.Limit) {
		q.Control(msg, 0)
	}
}

// Stamp implements collector.Protocol: time, the number of messages before, source id.
func (p *peer) Stamp(msg []byte, at collector.Position, now time.Time) {
	p.s.o.stamp(msg, now)
	binary.BigEndian.PutUint32(msg[12:], p.before+at.Messages)
	binary.BigEndian.PutUint32(msg[16:], p.s.o.sourceID)
}
