// The datagrams of a stream, and their numbers.

package netflow5

import (
	"encoding/binary"
	"time"

	"ulogd/plugins/output/export/collector"
	"ulogd/plugins/output/export/stream"
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

// packer lays records out in datagrams.
type packer struct {
	stream   *stream.Stream
	n        int  // records in the open datagram
	most     int  // that it may have
	finished bool // it takes no more
	buf      [headerLen + maxRecords*recordLen]byte
}

// Messages implements stream.Format.
func (o *output) Messages(s *stream.Stream) stream.Messages {
	w := &packer{stream: s, most: maxRecords}
	be.PutUint16(w.buf[0:], 5)
	w.buf[20], w.buf[21] = o.engineType, o.engineID
	if o.sampling > 0 {
		be.PutUint16(w.buf[22:], everyNth|o.sampling)
	}
	o.packers = append(o.packers, w)
	return w
}

// record returns the place for the next record.
func (w *packer) record(now time.Time) []byte {
	if w.n >= w.most {
		w.Finish()
		w.stream.Settle(now)
	}
	w.n++
	at := headerLen + (w.n-1)*recordLen
	return w.buf[at : at+recordLen]
}

// SetLimit implements stream.Messages.
func (w *packer) SetLimit(octets int) {
	w.most = min(max((octets-headerLen)/recordLen, 1), maxRecords)
}

// Pending implements stream.Messages.
func (w *packer) Pending() int { return w.n }

// Finish implements stream.Messages.
func (w *packer) Finish() { w.finished = w.n > 0 }

// Take implements stream.Messages.
func (w *packer) Take(add func(msg []byte, m collector.Mark)) {
	if !w.finished {
		return
	}
	be.PutUint16(w.buf[2:], uint16(w.n))
	add(w.buf[:headerLen+w.n*recordLen], collector.Mark{Records: w.n})
	w.n, w.finished = 0, false
}

// Peer implements stream.Format.
func (o *output) Peer(*stream.Stream) stream.Peer { return &peer{o: o} }

// peer numbers the records that one collector is sent, over all sessions.
type peer struct {
	o      *output
	before uint32 // sent in earlier sessions
}

// Begin implements collector.Protocol. What was numbered but could not be sent is numbered again.
func (p *peer) Begin(q *collector.Queue, _ time.Time) { p.before = uint32(q.Sent().Records) }

// Doubt implements collector.Protocol: a datagram needs nothing but itself.
func (p *peer) Doubt(*collector.Queue, time.Time) {}

// Before implements collector.Protocol: there is nothing to tell ahead of a datagram.
func (p *peer) Before(*collector.Queue, collector.Mark, time.Time) {}

// Refresh implements stream.Peer: there is nothing to tell again.
func (p *peer) Refresh(*collector.Queue, time.Time) {}

// Stamp implements collector.Protocol: the sequence number counts the records before this datagram.
func (p *peer) Stamp(msg []byte, at collector.Position, now time.Time) {
	be.PutUint32(msg[16:], p.before+at.Records)
	p.o.stamp(msg, now)
}
