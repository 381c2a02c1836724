// Records of flows.

package export

import (
	"slices"

	"ulogd/engine"
	"ulogd/engine/element"
	"ulogd/engine/key"
)

// FlowLayout say what records of flows look like.
type FlowLayout struct {
	Direction string // "uniflow", "biflow" or "sum"
	Totals    bool   // counters are those since the flow began, not since its last record
	Choice
	Uptime *int64 // NetFlow v9: what its times count from, nanoseconds since 1970
}

// NewFlows binds the keys of flows. It returns nil if the stack has no flows, and reports unknown
// names.
func NewFlows(p *engine.Binder, g *Templates, o FlowLayout) *Encoder {
	e := &Encoder{both: o.Direction == "uniflow", count: o.Direction != "sum"}
	e.bindFamily(p)
	f := bindFlow(p, &e.shapes)
	if !f.osrc.Given() {
		return nil
	}
	e.replies, e.compare = f.rpkts, f.rsrc.Given()
	e.osrc, e.odst, e.rsrc, e.rdst = f.osrc, f.odst, f.rsrc, f.rdst
	e.osport, e.odport, e.rsport, e.rdport = f.osport, f.odport, f.rsport, f.rdport
	e.choose(p, o.Choice, f.items(o), g)
	orig, reply := weighing(f.opkts, f.ooctets), weighing(f.rpkts, f.roctets)
	e.shapes.weigh = [2]weigher{orig, reply}
	if !e.both {
		e.shapes.weigh[forward] = together(orig, reply)
	}
	return e
}

// flowKeys are the keys that flow records are made of.
type flowKeys struct {
	osrc, odst, rsrc, rdst         engine.Col[engine.Addr]
	osport, odport, rsport, rdport engine.Col[uint16]
	proto                          engine.Col[uint8]
	opkts, ooctets, rpkts, roctets engine.Col[uint64]
	start, end, rstart, rend       engine.Col[engine.Time]
	reason, otos, rtos             engine.Col[uint8]
	ominTTL, omaxTTL               engine.Col[uint8]
	rminTTL, rmaxTTL               engine.Col[uint8]
	oflags, rflags                 engine.Col[uint16]
	icmpType, icmpCode             engine.Col[uint8]
	icmp6Type, icmp6Code           engine.Col[uint8]
	in, out                        engine.Col[uint32]
	vlan, zone                     engine.Col[uint16]
	smac, dmac                     engine.Col[engine.MAC]
	hop                            engine.Col[engine.Addr]
	splen, dplen                   engine.Col[uint8]
	mark, id, event                engine.Col[uint32]
	labels                         engine.Col[engine.Label]
	tcpState                       engine.Col[uint8]
	recovered                      engine.Col[bool]
}

// bindFlow binds them for records of those shapes.
func bindFlow(p *engine.Binder, s *shapes) (f flowKeys) {
	least, most := s.have(element.MinimumTTL), s.have(element.MaximumTTL)
	mac := s.have(element.SourceMACAddress, element.DestinationMACAddress)
	f.osrc, f.odst = engine.Want(p, key.OrigSaddr), engine.Want(p, key.OrigDaddr)
	f.rsrc, f.rdst = engine.Want(p, key.ReplySaddr), engine.Want(p, key.ReplyDaddr)
	f.osport, f.odport = engine.Want(p, key.OrigSport), engine.Want(p, key.OrigDport)
	f.rsport, f.rdport = engine.Want(p, key.ReplySport), engine.Want(p, key.ReplyDport)
	f.proto = engine.Want(p, key.OrigProtocol)
	f.opkts, f.ooctets = engine.Want(p, key.OrigPackets), engine.Want(p, key.OrigOctets)
	f.rpkts, f.roctets = engine.Want(p, key.ReplyPackets), engine.Want(p, key.ReplyOctets)
	f.start, f.end = engine.Want(p, key.FlowStart), engine.Want(p, key.FlowEnd)
	f.rstart, f.rend = engine.Want(p, key.ReplyStart), engine.Want(p, key.ReplyEnd)
	f.reason = engine.Want(p, key.FlowEndReason)
	f.ominTTL, f.omaxTTL = engine.WantIf(p, key.OrigMinTTL, least), engine.WantIf(p, key.OrigMaxTTL, most)
	f.rminTTL, f.rmaxTTL = engine.WantIf(p, key.ReplyMinTTL, least), engine.WantIf(p, key.ReplyMaxTTL, most)
	f.otos, f.rtos = engine.Want(p, key.OrigTOS), engine.Want(p, key.ReplyTOS)
	f.oflags, f.rflags = engine.Want(p, key.OrigTCPFlags), engine.Want(p, key.ReplyTCPFlags)
	f.icmpType, f.icmpCode = engine.Want(p, key.ICMPType), engine.Want(p, key.ICMPCode)
	f.icmp6Type, f.icmp6Code = engine.Want(p, key.ICMP6Type), engine.Want(p, key.ICMP6Code)
	f.in, f.out = engine.Want(p, key.OOBIfIn), engine.Want(p, key.OOBIfOut)
	f.vlan, f.zone = engine.Want(p, key.OOBVLAN), engine.Want(p, key.CTZone)
	f.smac, f.dmac = engine.WantIf(p, key.OrigMACSaddr, mac), engine.WantIf(p, key.OrigMACDaddr, mac)
	f.hop = engine.Want(p, key.RouteNextHop)
	f.splen, f.dplen = engine.Want(p, key.RouteSrcPlen), engine.Want(p, key.RouteDstPlen)
	f.mark, f.id, f.event = engine.Want(p, key.CTMark), engine.Want(p, key.CTID), engine.Want(p, key.CTEvent)
	f.labels = engine.Want(p, key.CTLabels)
	f.tcpState, f.recovered = engine.Want(p, key.CTTCPState), engine.Want(p, key.CTRecovered)
	return f
}

// items lists what can be in a record, in its usual order.
func (f *flowKeys) items(o FlowLayout) (l items) {
	// Where the reply tuple is not known it is the original one turned round.
	l.tuple(col(f.osrc), col(f.rsrc), col(f.odst))
	l.tuple(col(f.odst), col(f.rdst), col(f.osrc))
	l.tuple(col(f.osport), col(f.rsport), col(f.odport))
	l.tuple(col(f.odport), col(f.rdport), col(f.osport))
	f.icmp(&l)
	l.add(element.ProtocolIdentifier, col(f.proto), col(f.proto))
	f.counters(&l, o)
	f.times(&l, o)
	f.ending(&l)
	f.header(&l, o)
	f.layer2(&l)
	f.routing(&l)
	f.translation(&l)
	f.conntrack(&l)
	return l
}

// tuple adds the elements of a piece of the tuple.
func (l *items) tuple(orig, reply, turned source) {
	for _, e := range orig.key.Elements {
		l.either(e, orig, reply, turned)
	}
}

func (f *flowKeys) icmp(l *items) {
	both := func(t, c engine.Col[uint8]) (fwd, back source) {
		return from(icmp{t, c, false}, t.Mask(), c.Mask()), from(icmp{t, c, true}, t.Mask(), c.Mask())
	}
	fwd, back := both(f.icmpType, f.icmpCode)
	l.add(element.ICMPTypeCodeIPv4, fwd, back)
	fwd6, back6 := both(f.icmp6Type, f.icmp6Code)
	l.add(element.ICMPTypeCodeIPv6, fwd6, back6)
	l.add(element.ICMPTypeCodeIPv6, fwd, back) // conntrack's keys are the same for both
}

// counters: totals under totalCounter elements, what came since the last record under deltaCounter
// ones (RFC 7012 section 3.2).
func (f *flowKeys) counters(l *items, o FlowLayout) {
	for _, e := range []*engine.Element{element.OctetTotalCount, element.PacketTotalCount, element.OctetDeltaCount, element.PacketDeltaCount} {
		orig, reply := f.opkts, f.rpkts
		if e == element.OctetTotalCount || e == element.OctetDeltaCount {
			orig, reply = f.ooctets, f.roctets
		}
		extra := o.Totals != (e == element.OctetTotalCount || e == element.PacketTotalCount)
		if o.Direction == "sum" {
			s := from(sum{orig, reply, 8}, orig.Mask())
			s.key = orig.Key()
			l.add(e, s, source{}).zero().Extra = extra
			continue
		}
		l.add(e, col(orig), col(reply)).zero().Extra = extra
		if o.Direction == "biflow" {
			l.add(element.Reverse(e), col(reply), source{}).zero().when(twoWay).Extra = extra
		}
	}
}

func (f *flowKeys) times(l *items, o FlowLayout) {
	usual := []*engine.Element{element.FlowStartMilliseconds, element.FlowEndMilliseconds}
	if o.Uptime != nil {
		usual = []*engine.Element{element.FlowStartSysUpTime, element.FlowEndSysUpTime}
	}
	// Start and end stand side by side, in the same unit.
	for i, start := range key.FlowStart.Info().Elements {
		end := key.FlowEnd.Info().Elements[i]
		f.time(l, o, start, f.start, f.rstart, usual)
		f.time(l, o, end, f.end, f.rend, usual)
	}
	if o.Direction == "biflow" && f.rstart.Given() {
		l.add(element.Reverse(element.FlowStartMilliseconds), col(f.rstart), source{}).when(twoWay)
		l.add(element.Reverse(element.FlowEndMilliseconds), col(f.rend), source{}).when(twoWay)
	}
}

func (f *flowKeys) time(l *items, o FlowLayout, e *engine.Element, orig, reply engine.Col[engine.Time],
	usual []*engine.Element,
) {
	of := func(c engine.Col[engine.Time]) source {
		s := col(c)
		if e == element.FlowStartSysUpTime || e == element.FlowEndSysUpTime {
			s.fill = func(*engine.Element) filler { return uptime{c, o.Uptime} }
		}
		return s
	}
	if o.Uptime == nil && e.Type == engine.Unsigned32 {
		return // what they count from is in NetFlow v9's header
	}
	n := len(*l)
	l.either(e, of(orig), of(reply), of(orig))
	for i := range (*l)[n:] {
		(*l)[n+i].Extra = !slices.Contains(usual, e)
	}
}

// ending says why the record was made; where the input does not say, conntrack's state does.
func (f *flowKeys) ending(l *items) {
	derived := from(endReason{f.event, f.tcpState, f.recovered}, f.event.Mask())
	l.add(element.FlowEndReason, col(f.reason), col(f.reason))
	l.add(element.FlowEndReason, derived, derived)
}

func (f *flowKeys) header(l *items, o FlowLayout) {
	l.add(element.IPClassOfService, col(f.otos), col(f.rtos))
	l.add(element.MinimumTTL, col(f.ominTTL), col(f.rminTTL)).extra()
	l.add(element.MaximumTTL, col(f.omaxTTL), col(f.rmaxTTL)).extra()
	l.add(element.TCPControlBits, flags(f.oflags, o.FlagOctets), flags(f.rflags, o.FlagOctets)).Length = o.FlagOctets
	if o.Direction == "biflow" {
		l.add(element.Reverse(element.IPClassOfService), col(f.rtos), source{}).when(twoWay)
		l.add(element.Reverse(element.TCPControlBits), flags(f.rflags, o.FlagOctets), source{}).when(twoWay).Length = o.FlagOctets
	}
	four, six := from(constant(4)), from(constant(6))
	it := l.add(element.IPVersion, four, four)
	it.Extra, it.off = o.Uptime == nil, is6|noIP
	it = l.add(element.IPVersion, six, six)
	it.Extra, it.on = o.Uptime == nil, is6
}

// flags writes TCP flags in one octet or in two.
func flags(c engine.Col[uint16], octets uint16) source {
	s := col(c)
	s.fill = func(*engine.Element) filler { return number[uint16]{c, int(octets)} }
	return s
}

func (f *flowKeys) layer2(l *items) {
	l.add(element.IngressInterface, col(f.in), col(f.out)).zero()
	l.add(element.EgressInterface, col(f.out), col(f.in)).zero()
	l.add(element.VLANID, col(f.vlan), col(f.vlan)).zero()
	f.direction(l)
	l.add(element.SourceMACAddress, col(f.smac), col(f.dmac))
	l.add(element.DestinationMACAddress, col(f.dmac), col(f.smac))
}

// direction: a packet that an interface received is ingress, one that it was only seen to send is
// egress. Replies go the other way, which nobody has seen.
func (f *flowKeys) direction(l *items) {
	const ingress, egress = 0, 1
	l.add(element.FlowDirection, from(constant(ingress), f.in.Mask()), source{}).extra()
	l.add(element.FlowDirection, from(constant(egress), f.out.Mask()), source{}).extra()
}

// routing: the way back has another next hop, which nobody looked up.
func (f *flowKeys) routing(l *items) {
	l.add(element.IPNextHopIPv4Address, col(f.hop), source{}).zero()
	l.add(element.IPNextHopIPv6Address, col(f.hop), source{}).zero()
	l.add(element.SourceIPv4PrefixLength, col(f.splen), col(f.dplen))
	l.add(element.SourceIPv6PrefixLength, col(f.splen), col(f.dplen))
	l.add(element.DestinationIPv4PrefixLength, col(f.dplen), col(f.splen))
	l.add(element.DestinationIPv6PrefixLength, col(f.dplen), col(f.splen))
}

// translation: what is before it stands in the usual elements, what is after it in the "post" ones
// (RFC 5103 section 4, RFC 8158). A packet of the original direction leaves with the reply tuple
// turned round, one of the reply with the original tuple turned round.
func (f *flowKeys) translation(l *items) {
	l.add(element.PostNATSourceIPv4Address, col(f.rdst), col(f.odst)).when(nat)
	l.add(element.PostNATSourceIPv6Address, col(f.rdst), col(f.odst)).when(nat)
	l.add(element.PostNATDestinationIPv4Address, col(f.rsrc), col(f.osrc)).when(nat)
	l.add(element.PostNATDestinationIPv6Address, col(f.rsrc), col(f.osrc)).when(nat)
	l.add(element.PostNAPTSourceTransportPort, col(f.rdport), col(f.odport)).when(nat)
	l.add(element.PostNAPTDestinationTransportPort, col(f.rsport), col(f.osport)).when(nat)
}

func (f *flowKeys) conntrack(l *items) {
	l.add(element.FlowID, col(f.id), col(f.id)).zero()
	for _, s := range []source{col(f.mark), col(f.zone), col(f.labels)} {
		l.add(s.key.Own(), s, s).zero().extra()
	}
}
