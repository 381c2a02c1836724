// The record that ulogd2's IPFIX output sends, octet for octet.

package export

import (
	"ulogd/engine"
	"ulogd/engine/element"
)

// NewULOGD2 binds the keys of ulogd2's one template: both directions in one counter of 32 bits,
// whole seconds, the mark as applicationId, and zeros for what is missing. IPv4 records have the
// registry's first template, IPv6 ones, which ulogd2 does not send, the second.
func NewULOGD2(p *engine.Binder, g *Templates) *Encoder {
	e := &Encoder{}
	e.bindFamily(p)
	f := bindFlow(p, &e.shapes)
	if !f.osrc.Given() {
		return nil
	}
	var l items
	add := func(e *engine.Element, f filler, mask uint64) {
		octets := uint16(4) // ulogd2's, of counters and the mark
		switch e.Type {
		case engine.IPv6Address, engine.Unsigned8, engine.Unsigned16:
			octets = e.Length()
		}
		it := l.add(e, from(&optional{filler: f, width: int(octets), mask: mask}), source{})
		it.Length = octets
	}
	add(element.SourceIPv4Address, addr4{f.osrc}, f.osrc.Mask())
	add(element.SourceIPv6Address, addr6{f.osrc}, f.osrc.Mask())
	add(element.DestinationIPv4Address, addr4{f.odst}, f.odst.Mask())
	add(element.DestinationIPv6Address, addr6{f.odst}, f.odst.Mask())
	add(element.PacketTotalCount, sum{f.opkts, f.rpkts, 4}, f.opkts.Mask())
	add(element.OctetTotalCount, sum{f.ooctets, f.roctets, 4}, f.ooctets.Mask())
	add(element.FlowStartSeconds, seconds{f.start}, f.start.Mask())
	add(element.FlowEndSeconds, seconds{f.end}, f.end.Mask())
	add(element.SourceTransportPort, number[uint16]{f.osport, 2}, f.osport.Mask())
	add(element.DestinationTransportPort, number[uint16]{f.odport, 2}, f.odport.Mask())
	add(element.ProtocolIdentifier, number[uint8]{f.proto, 1}, f.proto.Mask())
	add(element.ApplicationID, number[uint32]{f.mark, 4}, f.mark.Mask())
	e.shapes.init(l, g)
	e.shapes.find(0, 0) // in this order: 256 is IPv4's
	e.shapes.find(0, is6)
	return e
}

// optional writes zeros where a record lacks the key.
type optional struct {
	filler
	width  int
	mask   uint64
	there  [engine.BatchSize]spot
	absent [engine.BatchSize]spot
}

func (f *optional) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	have, n, m := b.Have(), 0, 0
	for _, s := range spots {
		if f.mask != 0 && have[s.row]&f.mask != 0 {
			f.there[n] = s
			n++
		} else {
			f.absent[m] = s
			m++
		}
	}
	zero{f.width}.fill(b, buf, f.absent[:m], off)
	f.filler.fill(b, buf, f.there[:n], off)
}
