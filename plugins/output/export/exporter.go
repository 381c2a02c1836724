// The exporter's own address in its records, for collectors that see only a relay's.

package export

import (
	"encoding/binary"
	"net/netip"

	"ulogd/engine"
	"ulogd/engine/element"
)

// An Exporter is the address that an output sends from, as far as it is known. Its zero value
// knows none.
type Exporter struct {
	addr  engine.Addr
	knows variant
	asked bool
}

// Asked reports whether records are to have the address.
func (x *Exporter) Asked() bool { return x.asked }

// Set tells the address for the records that come.
func (x *Exporter) Set(a netip.Addr) {
	switch a = a.Unmap(); {
	case !a.IsValid():
		return
	case a.Is4():
		x.knows = from4
	default:
		x.knows = from6
	}
	x.addr = engine.AddrFrom(a.WithZone(""))
}

// items are the address in either family: a record has that of the session, or none while there
// has been no way to the collector.
func (x *Exporter) items() (l items) {
	s := source{fill: func(e *engine.Element) filler { return exporterAddress{x, e == element.ExporterIPv4Address} }}
	l.add(element.ExporterIPv4Address, s, s).extra().when(from4)
	l.add(element.ExporterIPv6Address, s, s).extra().when(from6)
	return l
}

// exporterAddress writes it.
type exporterAddress struct {
	*Exporter
	four bool
}

func (f exporterAddress) fill(_ *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	for _, s := range spots {
		if f.four {
			binary.BigEndian.PutUint32(buf[s.pos:], f.addr.V4())
		} else {
			f.addr.Put16(buf[s.pos:])
		}
	}
}
