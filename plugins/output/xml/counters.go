// Counters as libnetfilter_acct writes them.

package xml

import (
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

type counterStage struct {
	*document
	name            engine.Col[engine.String]
	packets, octets engine.Col[uint64]
	at              engine.Col[engine.Time]
}

func bindCounters(p *engine.Binder, d *document) engine.Stage {
	return &counterStage{
		document: d, name: engine.Require(p, key.SumName),
		packets: engine.Require(p, key.SumPackets), octets: engine.Require(p, key.SumOctets),
		at: engine.Want(p, key.OOBTime),
	}
}

func (s *counterStage) Consume(b *engine.Batch) {
	buf := s.Begin()
	for _, r := range b.Rows() {
		at := b.Clock()
		if t := s.at.Of(b)[r]; s.at.Has(b, r) && t != 0 {
			at = int64(t)
		}
		buf = append(buf, "<obj><name>"...)
		buf = appendText(buf, b.Bytes(engine.Span(s.name.Of(b)[r])))
		buf = appendPadded(append(buf, "</name><pkts>"...), s.packets.Of(b)[r])
		buf = appendPadded(append(buf, "</pkts><bytes>"...), s.octets.Of(b)[r])
		buf = append(append(buf, "</bytes>"...), s.now.Text(at/int64(time.Second))...)
		buf = s.End(append(buf, "</obj>\n"...))
	}
	s.Commit(buf)
}

// appendPadded appends v with zeros in front up to 20 digits.
func appendPadded(dst []byte, v uint64) []byte {
	var digits [20]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = '0' + byte(v%10)
		v /= 10
	}
	return append(dst, digits[:]...)
}
