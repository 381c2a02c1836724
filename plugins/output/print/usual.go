// The columns of flows, packets and counters.

package print

import (
	"cmp"
	"net/netip"
	"strconv"
	"time"

	"ulogd/engine"
	"ulogd/engine/human"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
	"ulogd/engine/zone"
)

// timeWidth is the width of 03-01 09:30:00.025.
const timeWidth = 18

// The widest address with a port, and how much of it must be seen: the longest of IPv4.
const endWidth, endLeast = 47, 21

// binder looks keys up by their names.
type binder struct{ *engine.Binder }

// field returns a key of the stack; without one its Has is always false.
func (b binder) field(name string) *engine.Field {
	f, ok := b.Named(name)
	if !ok {
		return nil
	}
	return &f
}

// first returns the first of some keys that the stack has.
func (b binder) first(names ...string) *engine.Field {
	for _, name := range names {
		if f := b.field(name); f != nil {
			return f
		}
	}
	return nil
}

// usual returns the table of a stack of flows, packets or counters; nil if it is none of these.
func usual(eb *engine.Binder, path string) lines {
	b := binder{eb}
	switch {
	case b.field(key.OrigSaddr.Name()) != nil:
		return newTable(b.flows(), path)
	case b.field(key.IPSaddr.Name()) != nil:
		return newTable(b.packets(), path)
	case b.field(key.SumName.Name()) != nil:
		return newTable(b.counters(), path)
	}
	return nil
}

// flows are the columns of flow records.
func (b binder) flows() []cell {
	var cells []cell
	start, end := b.field(key.FlowStart.Name()), b.field(key.FlowEnd.Name())
	if start != nil {
		cells = append(cells, cell{head: "start", width: timeWidth, value: timeValue(start)})
	}
	if start != nil && end != nil {
		cells = append(cells, cell{
			head: "time", width: 6, right: true,
			value: func(buf []byte, b *engine.Batch, r engine.Row) []byte {
				if !start.Has(b, r) || !end.Has(b, r) {
					return buf
				}
				return append(buf, human.Duration(time.Duration(end.Uint(b, r)-start.Uint(b, r)))...)
			},
		})
	}
	if f := b.field(key.OrigProtocol.Name()); f != nil {
		cells = append(cells, cell{head: "proto", width: 6, value: protoValue(f)})
	}
	cells = append(cells,
		b.endpoint("source", key.OrigSaddr.Name(), key.OrigSport.Name()),
		b.endpoint("destination", key.OrigDaddr.Name(), key.OrigDport.Name()))
	for _, c := range []struct {
		head, name string
		width      int
		write      func(uint64) string
	}{
		{"packets", key.OrigPackets.Name(), 7, human.Count},
		{"octets", key.OrigOctets.Name(), 8, human.Octets},
		{"replies", key.ReplyPackets.Name(), 7, human.Count},
		{"octets", key.ReplyOctets.Name(), 8, human.Octets},
	} {
		if f := b.field(c.name); f != nil {
			cells = append(cells, cell{head: c.head, width: c.width, right: true, value: numberValue(f, c.write)})
		}
	}
	if f := b.field(key.FlowEndReason.Name()); f != nil {
		cells = append(cells, cell{head: "end", width: 8, value: numberValue(f, human.EndReason)})
	}
	return cells
}

// byStart orders flows that end together: by their start, then by their ends.
func byStart(eb *engine.Binder) func(b *engine.Batch, x, y engine.Row) int {
	look := binder{eb}
	start := look.field(key.FlowStart.Name())
	if start == nil || look.field(key.OrigSaddr.Name()) == nil {
		return nil
	}
	var rest []*engine.Field
	for _, name := range []string{key.OrigProtocol.Name(), key.OrigSport.Name(), key.OrigDport.Name()} {
		if f := look.field(name); f != nil {
			rest = append(rest, f)
		}
	}
	saddr := look.field(key.OrigSaddr.Name())
	return func(b *engine.Batch, x, y engine.Row) int {
		order := cmp.Compare(uintOf(start, b, x), uintOf(start, b, y))
		for _, f := range rest {
			order = cmp.Or(order, cmp.Compare(uintOf(f, b, x), uintOf(f, b, y)))
		}
		if order != 0 || !saddr.Has(b, x) || !saddr.Has(b, y) {
			return order
		}
		a, a6 := saddr.Addr(b, x)
		c, c6 := saddr.Addr(b, y)
		return a.Netip(a6).Compare(c.Netip(c6))
	}
}

// uintOf is a number, 0 where the record has none.
func uintOf(f *engine.Field, b *engine.Batch, r engine.Row) uint64 {
	if !f.Has(b, r) {
		return 0
	}
	return f.Uint(b, r)
}

// packets are the columns of packets.
func (b binder) packets() []cell {
	var cells []cell
	if f := b.field(key.OOBTime.Name()); f != nil {
		cells = append(cells, cell{head: "time", width: timeWidth, value: timeValue(f)})
	}
	if f := b.first(key.OOBIn.Name(), key.OOBIfIn.Name()); f != nil {
		cells = append(cells, cell{head: "in", width: 15, least: 8, value: valueOf(f)})
	}
	if f := b.first(key.OOBOut.Name(), key.OOBIfOut.Name()); f != nil {
		cells = append(cells, cell{head: "out", width: 15, least: 8, value: valueOf(f)})
	}
	if f := b.field(key.IPProtocol.Name()); f != nil {
		cells = append(cells, cell{head: "proto", width: 6, value: protoValue(f)})
	}
	cells = append(cells,
		b.endpoint("source", key.IPSaddr.Name(), "tcp.sport", "udp.sport", "sctp.sport", "dccp.sport"),
		b.endpoint("destination", key.IPDaddr.Name(), "tcp.dport", "udp.dport", "sctp.dport", "dccp.dport"))
	if f := b.first("flow.octets", key.RawPktLen.Name()); f != nil {
		cells = append(cells, cell{head: "length", width: 6, right: true, value: valueOf(f)})
	}
	if about := b.about(); about != nil {
		cells = append(cells, cell{head: "what", width: 10, value: about})
	}
	if f := b.field(key.OOBPrefix.Name()); f != nil {
		cells = append(cells, cell{head: "prefix", width: 30, least: 12, value: valueOf(f)})
	}
	return cells
}

// about says what a packet is for its protocol: flags of TCP, type and code of ICMP.
func (b binder) about() func([]byte, *engine.Batch, engine.Row) []byte {
	flags := b.field(key.TCPFlags.Name())
	icmp, code := b.field(key.ICMPType.Name()), b.field(key.ICMPCode.Name())
	icmp6, code6 := b.field(key.ICMP6Type.Name()), b.field(key.ICMP6Code.Name())
	if flags == nil && icmp == nil && icmp6 == nil {
		return nil
	}
	return func(buf []byte, b *engine.Batch, r engine.Row) []byte {
		for _, f := range [][2]*engine.Field{{icmp, code}, {icmp6, code6}} {
			if f[0] != nil && f[1] != nil && f[0].Has(b, r) && f[1].Has(b, r) {
				buf = strconv.AppendUint(append(buf, "type "...), f[0].Uint(b, r), 10)
				return strconv.AppendUint(append(buf, '/'), f[1].Uint(b, r), 10)
			}
		}
		if flags != nil && flags.Has(b, r) {
			return append(buf, key.TCPFlagLetters(uint16(flags.Uint(b, r)))...)
		}
		return buf
	}
}

// counters are the columns of named counters.
func (b binder) counters() []cell {
	var cells []cell
	if f := b.field(key.OOBTime.Name()); f != nil {
		cells = append(cells, cell{head: "time", width: timeWidth, value: timeValue(f)})
	}
	cells = append(cells, cell{head: "name", width: 32, least: 20, value: valueOf(b.field(key.SumName.Name()))})
	if f := b.field(key.SumPackets.Name()); f != nil {
		cells = append(cells, cell{head: "packets", width: 20, right: true, value: valueOf(f)})
	}
	if f := b.field(key.SumOctets.Name()); f != nil {
		cells = append(cells,
			cell{head: "octets", width: 20, right: true, value: valueOf(f)},
			cell{head: "", width: 8, right: true, value: numberValue(f, human.Octets)})
	}
	return cells
}

// endpoint is the column of an address with the port that a record has, if any.
func (b binder) endpoint(head, addr string, ports ...string) cell {
	c := cell{
		head: head, width: endWidth, least: endLeast,
		value: func(buf []byte, _ *engine.Batch, _ engine.Row) []byte { return buf },
	}
	a := b.field(addr)
	if a == nil {
		return c
	}
	var list []*engine.Field
	for _, name := range ports {
		if f := b.field(name); f != nil {
			list = append(list, f)
		}
	}
	c.value = func(buf []byte, b *engine.Batch, r engine.Row) []byte {
		if !a.Has(b, r) {
			return buf
		}
		v, is6 := a.Addr(b, r)
		for _, p := range list {
			if p.Has(b, r) {
				return netip.AddrPortFrom(v.Netip(is6), uint16(p.Uint(b, r))).AppendTo(buf)
			}
		}
		return v.AppendText(buf, is6)
	}
	return c
}

// timeValue writes a local time.
func timeValue(f *engine.Field) func([]byte, *engine.Batch, engine.Row) []byte {
	return func(buf []byte, b *engine.Batch, r engine.Row) []byte {
		if !f.Has(b, r) {
			return buf
		}
		return time.Unix(0, int64(f.Uint(b, r))).In(zone.Local()).AppendFormat(buf, "01-02 15:04:05.000")
	}
}

func protoValue(f *engine.Field) func([]byte, *engine.Batch, engine.Row) []byte {
	return func(buf []byte, b *engine.Batch, r engine.Row) []byte {
		if !f.Has(b, r) {
			return buf
		}
		n := f.Uint(b, r)
		if name := ipproto.Name(uint8(n)); name != "" && len(name) <= 6 {
			return append(buf, name...)
		}
		return strconv.AppendUint(buf, n, 10)
	}
}

func numberValue(f *engine.Field, write func(uint64) string) func([]byte, *engine.Batch, engine.Row) []byte {
	return func(buf []byte, b *engine.Batch, r engine.Row) []byte {
		if !f.Has(b, r) {
			return buf
		}
		return append(buf, write(f.Uint(b, r))...)
	}
}

// wordsOf writes the keys whose numbers have names.
func wordsOf(f *engine.Field) func([]byte, *engine.Batch, engine.Row) []byte {
	switch f.Name {
	case key.IPProtocol.Name(), key.OrigProtocol.Name(), key.ReplyProtocol.Name():
		return protoValue(f)
	case key.FlowEndReason.Name():
		return numberValue(f, human.EndReason)
	case key.CTTCPState.Name():
		return numberValue(f, func(n uint64) string {
			if n < uint64(len(key.TCPStateNames)) {
				return key.TCPStateNames[n]
			}
			return strconv.FormatUint(n, 10)
		})
	case key.OrigTCPFlags.Name(), key.ReplyTCPFlags.Name(), key.TCPFlags.Name():
		return numberValue(f, func(n uint64) string { return key.TCPFlagLetters(uint16(n)) })
	}
	return nil
}
