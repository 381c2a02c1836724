package decoders

import (
	"fmt"
	"net"
	"slices"
	"strconv"

	"ulogd/engine"
	table "ulogd/engine/element"
	"ulogd/engine/key"
)

// A kind is how the value of an element is shown.
type kind uint8

const (
	number kind = iota
	address
	hardware
	text
	raw
)

// An element as the exporters' own table has it. What the programs print under names of their own
// registries is what holds the table to IANA's; one under netfilter's number has the name that the
// records which describe it give.
type element struct {
	pen  uint32
	id   uint16
	name string
	kind kind
	size int // octets; 0: any number
}

const netfilter = engine.Netfilter

// elements is the table, with the reverse elements (RFC 5103) and those under netfilter's number
// that records have.
var elements = func() (list []element) {
	for _, e := range table.All() {
		list = append(list, elementOf(e))
	}
	for _, e := range []*engine.Element{
		table.OctetDeltaCount, table.PacketDeltaCount, table.IPClassOfService, table.TCPControlBits, table.FlowStartMilliseconds, table.FlowEndMilliseconds,
	} {
		list = append(list, elementOf(table.Reverse(e)))
	}
	for _, k := range []*engine.KeyInfo{
		key.OOBPrefix.Info(), key.OOBMark.Info(), key.OOBHook.Info(), key.OOBUID.Info(), key.OOBGID.Info(), key.CTZone.Info(), key.CTLabels.Info(), key.SumName.Info(),
	} {
		e := elementOf(k.Own())
		if e.name == "oob.mark" { // a connection's too
			e.name = "mark"
		}
		list = append(list, e)
	}
	return list
}()

// asked are the elements that records of the cells have.
func asked() (list []element) {
	for _, e := range elements {
		if slices.ContainsFunc(matrix, func(c cell) bool { return holding(c.want, e.name) > 0 }) {
			list = append(list, e)
		}
	}
	return list
}

func elementOf(e *engine.Element) element {
	out := element{pen: e.PEN, id: e.ID, name: e.Name, size: int(e.Length())}
	if e.Length() == engine.VariableLength {
		out.size = 0
	}
	switch e.Type {
	case engine.IPv4Address, engine.IPv6Address:
		out.kind = address
	case engine.MACAddress:
		out.kind = hardware
	case engine.Text:
		out.kind = text
	case engine.OctetArray:
		out.kind = raw
	}
	return out
}

// lookup returns the element of that number.
func lookup(pen uint32, id uint16) (element, bool) {
	for _, e := range elements {
		if e.pen == pen && e.id == id {
			return e, true
		}
	}
	return element{}, false
}

// show writes an element's octets as cells have them.
func (e element) show(v []byte) string {
	switch e.kind {
	case address:
		return net.IP(v).String()
	case hardware:
		return net.HardwareAddr(v).String()
	case text:
		return string(v)
	case raw:
		return fmt.Sprintf("%x", v)
	}
	var n uint64
	for _, c := range v {
		n = n<<8 | uint64(c)
	}
	return strconv.FormatUint(n, 10)
}
