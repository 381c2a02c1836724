// Records of flows.

package export

import (
	"slices"

	"ulogd/engine"
	"ulogd/engine/key"
)

// FlowOptions say what records of flows look like.
type FlowOptions struct {
	Direction string   // "uniflow", "biflow" or "sum"
	Totals    bool     // counters are those since the flow began, not since its last record
	Fields    []string // names of elements and keys, in this order; nil: the usual ones
	Uptime    *int64   // NetFlow v9: what its times count from, nanoseconds since 1970
}

// NewFlows binds the keys of flows. It returns nil if the stack has no flows, and reports unknown names.
func NewFlows(p *engine.Binder, g *Registry, o FlowOptions) *Encoder {
	e := &Encoder{both: o.Direction == "uniflow", count: o.Direction != "sum"}
	e.bindFamily(p)
	f := bindFlow(p)
	if !f.osrc.Given() {
		return nil
	}
	e.replies, e.compare = f.rpkts, f.rsrc.Given()
	e.osrc, e.odst, e.rsrc, e.rdst = f.osrc, f.odst, f.rsrc, f.rdst
	e.osport, e.odport, e.rsport, e.rdport = f.osport, f.odport, f.rsport, f.rdport
	l := choose(p, f.items(o), o.Fields)
	if !g.Dialect.Enterprise {
		l = slices.DeleteFunc(l, func(it Item) bool { return it.PEN != 0 || it.Length == Variable })
	}
	e.shapes.init(l, g)
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

func bindFlow(p *engine.Binder) (f flowKeys) {
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
	f.otos, f.rtos = engine.Want(p, key.OrigTOS), engine.Want(p, key.ReplyTOS)
	f.oflags, f.rflags = engine.Want(p, key.OrigTCPFlags), engine.Want(p, key.ReplyTCPFlags)
	f.icmpType, f.icmpCode = engine.Want(p, key.ICMPType), engine.Want(p, key.ICMPCode)
	f.icmp6Type, f.icmp6Code = engine.Want(p, key.ICMP6Type), engine.Want(p, key.ICMP6Code)
	f.in, f.out = engine.Want(p, key.OOBIfIn), engine.Want(p, key.OOBIfOut)
	f.vlan, f.zone = engine.Want(p, key.OOBVLAN), engine.Want(p, key.CTZone)
	f.smac, f.dmac = engine.Want(p, key.OrigMACSaddr), engine.Want(p, key.OrigMACDaddr)
	f.hop = engine.Want(p, key.RouteNextHop)
	f.splen, f.dplen = engine.Want(p, key.RouteSrcPlen), engine.Want(p, key.RouteDstPlen)
	f.mark, f.id, f.event = engine.Want(p, key.CTMark), engine.Want(p, key.CTID), engine.Want(p, key.CTEvent)
	f.labels = engine.Want(p, key.CTLabels)
	f.tcpState, f.recovered = engine.Want(p, key.CTTCPState), engine.Want(p, key.CTRecovered)
	return f
}

// items lists what can be in a record, in its usual order.
func (f *flowKeys) items(o FlowOptions) (l items) {
	// Where the reply tuple is not known it is the original one turned round.
	v4 := func(c engine.Col[engine.Addr]) source { return from(addr4{c}, c.Mask()) }
	v6 := func(c engine.Col[engine.Addr]) source { return from(addr6{c}, c.Mask()) }

	l.either(Item{Element: iana(8, 4), Name: "sourceIPv4Address", off: is6 | noIP}, v4(f.osrc), v4(f.rsrc), v4(f.odst))
	l.either(Item{Element: iana(27, 16), Name: "sourceIPv6Address", on: is6}, v6(f.osrc), v6(f.rsrc), v6(f.odst))
	l.either(Item{Element: iana(12, 4), Name: "destinationIPv4Address", off: is6 | noIP}, v4(f.odst), v4(f.rdst), v4(f.osrc))
	l.either(Item{Element: iana(28, 16), Name: "destinationIPv6Address", on: is6}, v6(f.odst), v6(f.rdst), v6(f.osrc))
	l.either(Item{Element: iana(7, 2), Name: "sourceTransportPort"}, num(f.osport, 2), num(f.rsport, 2), num(f.odport, 2))
	l.either(Item{Element: iana(11, 2), Name: "destinationTransportPort"}, num(f.odport, 2), num(f.rdport, 2), num(f.osport, 2))
	f.icmp(&l, o)
	l.add(Item{Element: iana(4, 1), Name: "protocolIdentifier"}, num(f.proto, 1), num(f.proto, 1))
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

func (f *flowKeys) icmp(l *items, o FlowOptions) {
	six := iana(139, 2)
	if o.Uptime != nil { // NetFlow v9 has one for both: RFC 3954 section 8, ICMP_TYPE
		six = iana(32, 2)
	}
	both := func(t, c engine.Col[uint8]) (source, source) {
		return from(icmp{t, c, false}, t.Mask(), c.Mask()), from(icmp{t, c, true}, t.Mask(), c.Mask())
	}
	fwd, back := both(f.icmpType, f.icmpCode)
	l.add(Item{Element: iana(32, 2), Name: "icmpTypeCodeIPv4", off: is6 | noIP}, fwd, back)
	fwd, back = both(f.icmp6Type, f.icmp6Code)
	l.add(Item{Element: six, Name: "icmpTypeCodeIPv6", on: is6}, fwd, back)
	fwd, back = both(f.icmpType, f.icmpCode) // conntrack's keys are the same for both
	l.add(Item{Element: six, Name: "icmpTypeCodeIPv6", on: is6}, fwd, back)
}

// counters: totals under totalCounter elements, what came since the last record under deltaCounter ones (RFC 7012 section 3.2).
func (f *flowKeys) counters(l *items, o FlowOptions) {
	for _, c := range []struct {
		id        uint16
		name, rev string
		orig      engine.Col[uint64]
		reply     engine.Col[uint64]
		total     bool
	}{
		{85, "octetTotalCount", "reverseOctetTotalCount", f.ooctets, f.roctets, true},
		{86, "packetTotalCount", "reversePacketTotalCount", f.opkts, f.rpkts, true},
		{1, "octetDeltaCount", "reverseOctetDeltaCount", f.ooctets, f.roctets, false},
		{2, "packetDeltaCount", "reversePacketDeltaCount", f.opkts, f.rpkts, false},
	} {
		it := Item{Element: iana(c.id, 8), Name: c.name, Zero: true, Extra: c.total != o.Totals}
		if o.Direction == "sum" {
			l.add(it, from(sum{c.orig, c.reply, 8}, c.orig.Mask()), source{})
			continue
		}
		l.add(it, num(c.orig, 8), num(c.reply, 8))
		if o.Direction == "biflow" {
			it.Element, it.Name, it.on = reverse(c.id, 8), c.rev, twoWay
			l.add(it, num(c.reply, 8), source{})
		}
	}
}

func (f *flowKeys) times(l *items, o FlowOptions) {
	ms := func(c engine.Col[engine.Time]) source { return from(millis{c}, c.Mask()) }
	sec := func(c engine.Col[engine.Time]) source { return from(seconds{c}, c.Mask()) }
	micro := func(c engine.Col[engine.Time]) source { return from(ntp{c, ntpMicro}, c.Mask()) }
	nano := func(c engine.Col[engine.Time]) source { return from(ntp{c, ntpNano}, c.Mask()) }
	if o.Uptime != nil {
		up := func(c engine.Col[engine.Time]) source { return from(uptime{c, o.Uptime}, c.Mask()) }
		l.either(Item{Element: iana(22, 4), Name: "flowStartSysUpTime"}, up(f.start), up(f.rstart), up(f.start))
		l.either(Item{Element: iana(21, 4), Name: "flowEndSysUpTime"}, up(f.end), up(f.rend), up(f.end))
	}
	v9 := o.Uptime != nil
	l.either(Item{Element: iana(152, 8), Name: "flowStartMilliseconds", Extra: v9}, ms(f.start), ms(f.rstart), ms(f.start))
	l.either(Item{Element: iana(153, 8), Name: "flowEndMilliseconds", Extra: v9}, ms(f.end), ms(f.rend), ms(f.end))
	if o.Direction == "biflow" && f.rstart.Given() {
		l.add(Item{Element: reverse(152, 8), Name: "reverseFlowStartMilliseconds", on: twoWay}, ms(f.rstart), source{})
		l.add(Item{Element: reverse(153, 8), Name: "reverseFlowEndMilliseconds", on: twoWay}, ms(f.rend), source{})
	}
	for _, x := range []struct {
		id         uint16
		start, end string
		length     uint16
		how        func(engine.Col[engine.Time]) source
	}{{150, "flowStartSeconds", "flowEndSeconds", 4, sec}, {154, "flowStartMicroseconds", "flowEndMicroseconds", 8, micro}, {156, "flowStartNanoseconds", "flowEndNanoseconds", 8, nano}} {
		l.either(Item{Element: iana(x.id, x.length), Name: x.start, Extra: true}, x.how(f.start), x.how(f.rstart), x.how(f.start))
		l.either(Item{Element: iana(x.id+1, x.length), Name: x.end, Extra: true}, x.how(f.end), x.how(f.rend), x.how(f.end))
	}
}

// ending says why the record was made; where the input does not say, conntrack's state does.
func (f *flowKeys) ending(l *items) {
	s, derived := num(f.reason, 1), from(endReason{f.event, f.tcpState, f.recovered}, f.event.Mask())
	l.add(Item{Element: iana(136, 1), Name: "flowEndReason"}, s, s)
	l.add(Item{Element: iana(136, 1), Name: "flowEndReason"}, derived, derived)
}

func (f *flowKeys) header(l *items, o FlowOptions) {
	flags := uint16(2) // RFC 9565; one octet in NetFlow v9
	if o.Uptime != nil {
		flags = 1
	}
	l.add(Item{Element: iana(5, 1), Name: "ipClassOfService"}, num(f.otos, 1), num(f.rtos, 1))
	l.add(Item{Element: iana(6, flags), Name: "tcpControlBits"}, num(f.oflags, int(flags)), num(f.rflags, int(flags)))
	if o.Direction == "biflow" {
		l.add(Item{Element: reverse(5, 1), Name: "reverseIpClassOfService", on: twoWay}, num(f.rtos, 1), source{})
		l.add(Item{Element: reverse(6, 2), Name: "reverseTcpControlBits", on: twoWay}, num(f.rflags, 2), source{})
	}
	version := Item{Element: iana(60, 1), Name: "ipVersion", Extra: o.Uptime == nil, off: is6 | noIP}
	l.add(version, from(constant(4)), from(constant(4)))
	version.on, version.off = is6, noIP
	l.add(version, from(constant(6)), from(constant(6)))
}

func (f *flowKeys) layer2(l *items) {
	hw := func(c engine.Col[engine.MAC]) source { return from(mac{c}, c.Mask()) }
	l.add(Item{Element: iana(10, 4), Name: "ingressInterface", Zero: true}, num(f.in, 4), num(f.out, 4))
	l.add(Item{Element: iana(14, 4), Name: "egressInterface", Zero: true}, num(f.out, 4), num(f.in, 4))
	l.add(Item{Element: iana(58, 2), Name: "vlanId", Zero: true}, num(f.vlan, 2), num(f.vlan, 2))
	l.add(Item{Element: iana(56, 6), Name: "sourceMacAddress"}, hw(f.smac), hw(f.dmac))
	l.add(Item{Element: iana(80, 6), Name: "destinationMacAddress"}, hw(f.dmac), hw(f.smac))
}

// routing: the way back has another next hop, which nobody looked up.
func (f *flowKeys) routing(l *items) {
	l.add(Item{Element: iana(15, 4), Name: "ipNextHopIPv4Address", Zero: true, off: is6 | noIP}, from(addr4{f.hop}, f.hop.Mask()), source{})
	l.add(Item{Element: iana(62, 16), Name: "ipNextHopIPv6Address", Zero: true, on: is6}, from(addr6{f.hop}, f.hop.Mask()), source{})
	for _, x := range []struct {
		id4, id6     uint16
		name4, name6 string
		fwd, back    engine.Col[uint8]
	}{
		{9, 29, "sourceIPv4PrefixLength", "sourceIPv6PrefixLength", f.splen, f.dplen},
		{13, 30, "destinationIPv4PrefixLength", "destinationIPv6PrefixLength", f.dplen, f.splen},
	} {
		l.add(Item{Element: iana(x.id4, 1), Name: x.name4, off: is6 | noIP}, num(x.fwd, 1), num(x.back, 1))
		l.add(Item{Element: iana(x.id6, 1), Name: x.name6, on: is6}, num(x.fwd, 1), num(x.back, 1))
	}
}

// translation: what is before it stands in the usual elements, what is after it in the "post" ones (RFC 5103 section 4, RFC 8158). A packet
// of the original direction leaves with the reply tuple turned round, one of the reply with the original tuple turned round.
func (f *flowKeys) translation(l *items) {
	type col = engine.Col[engine.Addr]
	for _, x := range []struct {
		id4, id6     uint16
		name4, name6 string
		fwd, back    col
	}{
		{225, 281, "postNATSourceIPv4Address", "postNATSourceIPv6Address", f.rdst, f.odst},
		{226, 282, "postNATDestinationIPv4Address", "postNATDestinationIPv6Address", f.rsrc, f.osrc},
	} {
		l.add(Item{Element: iana(x.id4, 4), Name: x.name4, on: nat, off: is6 | noIP}, from(addr4{x.fwd}, x.fwd.Mask()), from(addr4{x.back}, x.back.Mask()))
		l.add(Item{Element: iana(x.id6, 16), Name: x.name6, on: nat | is6}, from(addr6{x.fwd}, x.fwd.Mask()), from(addr6{x.back}, x.back.Mask()))
	}
	l.add(Item{Element: iana(227, 2), Name: "postNAPTSourceTransportPort", on: nat}, num(f.rdport, 2), num(f.odport, 2))
	l.add(Item{Element: iana(228, 2), Name: "postNAPTDestinationTransportPort", on: nat}, num(f.rsport, 2), num(f.osport, 2))
}

func (f *flowKeys) conntrack(l *items) {
	l.add(Item{Element: iana(148, 8), Name: "flowId", Zero: true}, num(f.id, 8), num(f.id, 8))
	l.add(Item{Element: of(key.CTMark.Info(), 4), Name: "ct.mark", Info: key.CTMark.Info(), Zero: true}, num(f.mark, 4), num(f.mark, 4))
	l.add(Item{Element: of(key.CTZone.Info(), 2), Name: "ct.zone", Info: key.CTZone.Info(), Zero: true}, num(f.zone, 2), num(f.zone, 2))
	labels := from(label{f.labels}, f.labels.Mask())
	l.add(Item{Element: of(key.CTLabels.Info(), 16), Name: "ct.labels", Info: key.CTLabels.Info(), Zero: true}, labels, labels)
}
