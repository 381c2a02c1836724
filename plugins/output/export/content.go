// What records amount to that could not be sent (RFC 7011 section 4.3).

package export

import (
	"encoding/binary"

	"ulogd/engine"
	"ulogd/engine/element"
)

// Content is a number of records, and the packets and octets that they tell of.
type Content struct{ Records, Packets, Octets uint64 }

// Add adds another content.
func (c *Content) Add(o Content) {
	c.Records += o.Records
	c.Packets += o.Packets
	c.Octets += o.Octets
}

// A weigher tells what a record that cannot be written would have told of.
type weigher func(b *engine.Batch, r engine.Row) (packets, octets uint64)

// weighing adds up columns: those that a stack does not give, or a row does not have, count as
// nothing.
func weighing[P, O integer](packets engine.Col[P], octets engine.Col[O]) weigher {
	return func(b *engine.Batch, r engine.Row) (p, o uint64) {
		if packets.Has(b, r) {
			p = uint64(packets.Of(b)[r])
		}
		if octets.Has(b, r) {
			o = uint64(octets.Of(b)[r])
		}
		return p, o
	}
}

// together weighs a record of both directions.
func together(x, y weigher) weigher {
	return func(b *engine.Batch, r engine.Row) (packets, octets uint64) {
		p, o := x(b, r)
		q, n := y(b, r)
		return p + q, o + n
	}
}

// lose counts rows that get no place in a message.
func (h *half) lose(b *engine.Batch, rows []engine.Row, res *Result) {
	res.Lost.Records += uint64(len(rows))
	for _, r := range rows {
		if h.weigh != nil {
			packets, octets := h.weigh(b, r)
			res.Lost.Add(Content{0, packets, octets})
		}
	}
}

// Content reads back what a message of this registry's templates holds. Nothing is added up while
// records are written: messages that are dropped are rare.
func (g *Templates) Content(msg []byte) (c Content) {
	for p := msg[min(g.Dialect.Header, len(msg)):]; len(p) >= 4; {
		n := int(binary.BigEndian.Uint16(p[2:]))
		if n < 4 || n > len(p) { // a message from a spool may be any file's
			break
		}
		t := g.numbered(binary.BigEndian.Uint16(p))
		for set := p[4:n]; t != nil && t.Scope == 0 && len(set) >= max(t.fixed, 1); { // less is padding
			set = t.count(set, &c)
		}
		p = p[n:]
	}
	return c
}

func (g *Templates) numbered(id uint16) *Template {
	if i := int(id) - int(g.First); i >= 0 && i < len(g.list) {
		return g.list[i]
	}
	return nil
}

// count adds the record at the beginning of p and returns what follows it: nothing, if there is not
// all of it.
func (t *Template) count(p []byte, c *Content) []byte {
	c.Records++
	for _, e := range t.Elements {
		n, head := int(e.Length), 0
		switch {
		case e.Length == Variable && len(p) >= 1 && p[0] < 255:
			n, head = int(p[0]), 1
		case e.Length == Variable && len(p) >= 3:
			n, head = int(binary.BigEndian.Uint16(p[1:])), 3
		}
		if len(p) < head+n {
			return nil
		}
		if e.PEN == 0 || e.PEN == engine.Reverse {
			switch e.ID {
			case element.OctetDeltaCount.ID, element.OctetTotalCount.ID:
				c.Octets += integerOf(p[:n])
			case element.PacketDeltaCount.ID, element.PacketTotalCount.ID:
				c.Packets += integerOf(p[:n])
			}
		}
		p = p[head+n:]
	}
	return p
}

func integerOf(p []byte) (v uint64) {
	for _, c := range p {
		v = v<<8 | uint64(c)
	}
	return v
}
