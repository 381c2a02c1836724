package netflow5

import (
	"encoding/binary"
	"time"

	"ulogd/plugins/output/export/collector"
)

// The format: a header of 24 octets and up to 30 records of 48, all numbers in network order.
const (
	headerLen   = 24
	recordLen   = 48
	maxRecords  = 30
	maxSampling = 1<<14 - 1

	everyNth = 1 << 14 // sampling mode in the two bits above the interval: one packet of so many, evenly
)

var be = binary.BigEndian

// stream is one sequence of datagrams, of which each of its queues gets a copy.
type stream struct {
	o      *output
	queues []*collector.Queue
	n      int // records in the open datagram
	began  time.Time
	buf    [headerLen + maxRecords*recordLen]byte
}

func newStream(o *output) *stream {
	s := &stream{o: o}
	be.PutUint16(s.buf[0:], 5)
	s.buf[20], s.buf[21] = o.engineType, o.engineID
	if o.sampling > 0 {
		be.PutUint16(s.buf[22:], everyNth|o.sampling)
	}
	return s
}

// record returns the place for the next record.
func (s *stream) record(now time.Time) []byte {
	if s.n == maxRecords {
		s.finish()
	}
	if s.n == 0 {
		s.began = now
	}
	s.n++
	at := headerLen + (s.n-1)*recordLen
	return s.buf[at : at+recordLen]
}

// finish closes the open datagram and queues it.
func (s *stream) finish() {
	if s.n == 0 {
		return
	}
	be.PutUint16(s.buf[2:], uint16(s.n))
	s.o.putHeader(s.buf[:])
	msg, mark := s.buf[:headerLen+s.n*recordLen], collector.Mark{Records: s.n}
	st := s.o.env.Stats
	st.Held.Add(-s.n)
	st.Made.Add((len(s.queues) - 1) * s.n)
	for _, q := range s.queues {
		q.Add(msg, mark)
	}
	s.n = 0
}

// enough is how many octets make a write worth its system call: about forty datagrams, as many as one segmented write can carry.
const enough = 40 * (headerLen + maxRecords*recordLen)

// pump sends what waits once there is enough of it; what is less goes with the next tick.
func (s *stream) pump(now time.Time) {
	for _, q := range s.queues {
		if q.Waiting() >= enough {
			q.Pump(now)
		}
	}
}

// peer numbers the records that one collector is sent, over all sessions.
type peer struct {
	o      *output
	before uint32 // sent in earlier sessions
}

// Begin implements collector.Protocol. What was numbered but could not be sent is numbered again.
func (p *peer) Begin(q *collector.Queue, _ time.Time) { p.before = uint32(q.Sent().Records) }

// Before implements collector.Protocol: there is nothing to tell ahead of a datagram.
func (p *peer) Before(*collector.Queue, collector.Mark, time.Time) {}

// Stamp implements collector.Protocol: the sequence number counts the records before this datagram.
func (p *peer) Stamp(msg []byte, at collector.Position, now time.Time) {
	be.PutUint32(msg[16:], p.before+at.Records)
	p.o.stamp(msg, now)
}
