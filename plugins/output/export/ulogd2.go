// The record that ulogd2's IPFIX output sends, octet for octet.

package export

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// NewULOGD2 binds the keys of ulogd2's one template: both directions in one counter of 32 bits, whole seconds, the mark as applicationId, and zeros for
// what is missing. IPv4 records have the registry's first template, IPv6 ones, which ulogd2 does not send, the second.
func NewULOGD2(p *engine.Binder, g *Registry) *Encoder {
	e := &Encoder{}
	e.bindFamily(p)
	f := bindFlow(p)
	if !f.osrc.Given() {
		return nil
	}
	var l items
	l.add(Item{Element: iana(8, 4), Name: "sourceIPv4Address", off: is6 | noIP}, orZero(addr4{f.osrc}, 4, f.osrc.Mask()), source{})
	l.add(Item{Element: iana(27, 16), Name: "sourceIPv6Address", on: is6}, orZero(addr6{f.osrc}, 16, f.osrc.Mask()), source{})
	l.add(Item{Element: iana(12, 4), Name: "destinationIPv4Address", off: is6 | noIP}, orZero(addr4{f.odst}, 4, f.odst.Mask()), source{})
	l.add(Item{Element: iana(28, 16), Name: "destinationIPv6Address", on: is6}, orZero(addr6{f.odst}, 16, f.odst.Mask()), source{})
	l.add(Item{Element: iana(86, 4), Name: "packetTotalCount"}, orZero(sum{f.opkts, f.rpkts, 4}, 4, f.opkts.Mask()), source{})
	l.add(Item{Element: iana(85, 4), Name: "octetTotalCount"}, orZero(sum{f.ooctets, f.roctets, 4}, 4, f.ooctets.Mask()), source{})
	l.add(Item{Element: iana(150, 4), Name: "flowStartSeconds"}, orZero(seconds{f.start}, 4, f.start.Mask()), source{})
	l.add(Item{Element: iana(151, 4), Name: "flowEndSeconds"}, orZero(seconds{f.end}, 4, f.end.Mask()), source{})
	l.add(Item{Element: iana(7, 2), Name: "sourceTransportPort"}, orZero(number[uint16]{f.osport, 2}, 2, f.osport.Mask()), source{})
	l.add(Item{Element: iana(11, 2), Name: "destinationTransportPort"}, orZero(number[uint16]{f.odport, 2}, 2, f.odport.Mask()), source{})
	l.add(Item{Element: iana(4, 1), Name: "protocolIdentifier"}, orZero(number[uint8]{f.proto, 1}, 1, f.proto.Mask()), source{})
	l.add(Item{Element: iana(95, 4), Name: "applicationId", Info: key.CTMark.Info()}, orZero(number[uint32]{f.mark, 4}, 4, f.mark.Mask()), source{})
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

func orZero(f filler, width int, mask uint64) source {
	return from(&optional{filler: f, width: width, mask: mask})
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
