// Records of the flows that have ended.

package flow

import (
	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
)

// out makes records of flows that have ended, with the keys and in the order of NFCT. Flows wait in
// a short list, from which columns are filled in loops.
type out struct {
	emitter *engine.Emitter
	held    *engine.Counter

	all, ports, icmp, icmp6, tcp, ifindex, vlan, output, hasMark, hasSrc, hasDst uint64 // presence bits
	replied, repliedPorts, repliedTCP, answered                                  uint64
	hasPriority, hasCustomer                                                     uint64

	saddr, daddr     engine.Col[engine.Addr]
	protocol         engine.Col[uint8]
	sport, dport     engine.Col[uint16]
	octets, packets  engine.Col[uint64]
	typ, code        engine.Col[uint8]
	typ6, code6      engine.Col[uint8]
	start, end       engine.Col[engine.Time]
	family           engine.Col[uint8]
	etherType        engine.Col[uint16]
	reason           engine.Col[uint8]
	tos              engine.Col[uint8]
	flags            engine.Col[uint16]
	ifin, ifout      engine.Col[uint32]
	vlanID           engine.Col[uint16]
	mark             engine.Col[uint32]
	macSrc, macDst   engine.Col[engine.MAC]
	priority         engine.Col[uint8]
	customer         engine.Col[uint16]
	customerPriority engine.Col[uint8]
	epoch            engine.Col[engine.Time]
	biflow           bool
	hops             hopKeys
	labels           labelKeys
	rsaddr, rdaddr   engine.Col[engine.Addr]
	rprotocol        engine.Col[uint8]
	rsport, rdport   engine.Col[uint16]
	roctets, rpacket engine.Col[uint64]
	rtos             engine.Col[uint8]
	rflags           engine.Col[uint16]
	rstart, rend     engine.Col[engine.Time]

	list    [listed]ended
	stacks  [listed]labels // of labels, of each
	n       int            // flows in the list
	waiting int            // records in the emitter's batch
}

// listed is how many flows the list holds: it stays in the first-level cache.
const listed = 96

// ended is a flow that has ended.
type ended struct {
	entry
	tuple  key.Tuple
	first  engine.Time
	ifout  uint32
	reply  reply
	link   link
	hops   hops
	reason uint8
}

func bindOut(p *engine.Binder, biflow bool) *out {
	o := &out{held: &p.Stats().Held, biflow: biflow, emitter: p.Restart()}
	group := func(bits *uint64) engine.Group {
		g := p.Group()
		*bits = g.Mask()
		return g
	}
	all, ports, icmp, icmp6 := group(&o.all), group(&o.ports), group(&o.icmp), group(&o.icmp6)
	o.saddr = engine.Give(p, all, key.OrigSaddr)
	o.daddr = engine.Give(p, all, key.OrigDaddr)
	o.protocol = engine.Give(p, all, key.OrigProtocol)
	o.sport = engine.Give(p, ports, key.OrigSport)
	o.dport = engine.Give(p, ports, key.OrigDport)
	o.octets = engine.Give(p, all, key.OrigOctets)
	o.packets = engine.Give(p, all, key.OrigPackets)
	if biflow {
		o.bindReply(p, group)
	}
	o.code = engine.Give(p, icmp, key.ICMPCode)
	o.typ = engine.Give(p, icmp, key.ICMPType)
	o.code6 = engine.Give(p, icmp6, key.ICMP6Code)
	o.typ6 = engine.Give(p, icmp6, key.ICMP6Type)
	o.start = engine.Give(p, all, key.FlowStart)
	o.end = engine.Give(p, all, key.FlowEnd)
	o.family = engine.Give(p, all, key.OOBFamily)
	o.etherType = engine.Give(p, all, key.OOBProtocol)
	o.reason = engine.Give(p, all, key.FlowEndReason)
	o.tos = engine.Give(p, all, key.OrigTOS)
	o.flags = engine.Give(p, group(&o.tcp), key.OrigTCPFlags)
	o.ifin = engine.Give(p, group(&o.ifindex), key.OOBIfIn)
	o.ifout = engine.Give(p, group(&o.output), key.OOBIfOut)
	o.vlanID = engine.Give(p, group(&o.vlan), key.OOBVLAN)
	o.mark = engine.Give(p, group(&o.hasMark), key.OOBMark)
	o.macSrc = engine.Give(p, group(&o.hasSrc), key.OrigMACSaddr)
	o.macDst = engine.Give(p, group(&o.hasDst), key.OrigMACDaddr)
	o.epoch = engine.GiveExtra(p, all, key.FlowEpoch)
	o.priority = engine.GiveExtra(p, group(&o.hasPriority), key.OOBVLANPriority)
	customer := group(&o.hasCustomer)
	o.customer = engine.GiveExtra(p, customer, key.OOBCustomerVLAN)
	o.customerPriority = engine.GiveExtra(p, customer, key.OOBCustomerPriority)
	o.labels.bind(p)
	o.hops.bind(p, biflow)
	return o
}

// bindReply gives the keys of the direction that answers.
func (o *out) bindReply(p *engine.Binder, group func(*uint64) engine.Group) {
	replied, ports, answered := group(&o.replied), group(&o.repliedPorts), group(&o.answered)
	o.rsaddr = engine.Give(p, replied, key.ReplySaddr)
	o.rdaddr = engine.Give(p, replied, key.ReplyDaddr)
	o.rprotocol = engine.Give(p, replied, key.ReplyProtocol)
	o.rsport = engine.Give(p, ports, key.ReplySport)
	o.rdport = engine.Give(p, ports, key.ReplyDport)
	o.roctets = engine.Give(p, replied, key.ReplyOctets)
	o.rpacket = engine.Give(p, replied, key.ReplyPackets)
	o.rtos = engine.Give(p, answered, key.ReplyTOS)
	o.rflags = engine.Give(p, group(&o.repliedTCP), key.ReplyTCPFlags)
	o.rstart = engine.Give(p, answered, key.ReplyStart)
	o.rend = engine.Give(p, answered, key.ReplyEnd)
}

// linkWanted reports whether somebody reads what a flow's first packet had around it.
func (o *out) linkWanted() bool {
	return o.mark.Wanted() || o.macSrc.Wanted() || o.macDst.Wanted() || o.priority.Wanted() || o.customer.Wanted() ||
		o.customerPriority.Wanted()
}

// add puts a flow on the list. Its place in the cache may be taken by another at once.
func (o *out) add(c *cache, i uint32, reason uint8) {
	if o.n == len(o.list) {
		o.settle(c)
	}
	d := &o.list[o.n]
	o.n++
	d.entry, d.tuple, d.reason = c.entries[i], c.tupleOf(i), reason
	d.first, d.ifout = c.origins[i].first, c.origins[i].ifout
	if c.links != nil {
		d.link = c.links[i]
	}
	if c.labels != nil {
		o.stacks[o.n-1] = c.labels[i]
	}
	if c.replies != nil {
		d.reply = c.replies[i]
	}
	if c.hops != nil {
		d.hops = c.hops[i]
	}
}

// tupleOf returns an entry's tuple, its initiator first.
func (c *cache) tupleOf(i uint32) (t key.Tuple) {
	e := &c.entries[i]
	wordsOf(&t)[lastWord] = e.ports
	if e.ports&version6 != 0 {
		t.Src, t.Dst = c.pairs[i].src, c.pairs[i].dst
	} else {
		t.Src, t.Dst = engine.Addr4(uint32(e.addrs>>32)), engine.Addr4(uint32(e.addrs))
	}
	if e.about&aboutReverse != 0 {
		exchange(&t)
	}
	return t
}

// settle makes records of the list.
func (o *out) settle(c *cache) {
	stacks := o.stacks[:o.n]
	for list := o.list[:o.n]; len(list) > 0; {
		b := o.emitter.Batch()
		at := b.Len()
		n := min(len(list), engine.BatchSize-at)
		o.fill(b, at, list[:n], c.timeline.first)
		if c.links != nil {
			o.fillLinks(b, at, list[:n])
		}
		if o.biflow {
			o.fillReplies(b, at, list[:n])
		}
		if c.hops != nil {
			o.hops.fill(b, at, list[:n])
		}
		if c.labels != nil {
			o.labels.fill(b, at, stacks[:n])
		}
		b.Fill(at + n)
		o.waiting += n
		list, stacks = list[n:], stacks[n:]
		if at+n == engine.BatchSize {
			o.flush()
		}
	}
	o.n = 0
}

// flush hands the records on.
func (o *out) flush() {
	o.held.Add(-o.waiting)
	o.waiting = 0
	o.emitter.Flush()
}

func (o *out) fill(b *engine.Batch, at int, list []ended, epoch engine.Time) {
	have := b.Have()
	saddr, daddr, protocol, sport, dport := o.saddr.Of(b), o.daddr.Of(b), o.protocol.Of(b), o.sport.Of(b), o.dport.Of(b)
	octets, packets, start, end := o.octets.Of(b), o.packets.Of(b), o.start.Of(b), o.end.Of(b)
	typ, code, typ6, code6 := o.typ.Of(b), o.code.Of(b), o.typ6.Of(b), o.code6.Of(b)
	family, etherType, reason, tos := o.family.Of(b), o.etherType.Of(b), o.reason.Of(b), o.tos.Of(b)
	flags, ifin, ifout, vlanID, epochs := o.flags.Of(b), o.ifin.Of(b), o.ifout.Of(b), o.vlanID.Of(b), o.epoch.Of(b)
	for i := range list {
		d, r := &list[i], engine.Row(at+i)
		t := &d.tuple
		bits := o.all
		saddr[r], daddr[r], protocol[r], sport[r], dport[r] = t.Src, t.Dst, t.Proto, t.Sport, t.Dport
		switch t.Proto {
		case ipproto.TCP:
			bits |= o.ports | o.tcp
		case ipproto.UDP, ipproto.UDPLite, ipproto.SCTP, ipproto.DCCP:
			bits |= o.ports
		case ipproto.ICMP:
			if t.Sport == key.ICMPKnown && t.Version == 4 {
				bits |= o.icmp
			}
		case ipproto.ICMPv6:
			if t.Sport == key.ICMPKnown && t.Version == 6 {
				bits |= o.icmp6
			}
		}
		typ[r], code[r], typ6[r], code6[r] = uint8(t.Dport>>8), uint8(t.Dport), uint8(t.Dport>>8), uint8(t.Dport)
		octets[r], packets[r], start[r], end[r] = d.octets, uint64(d.packets), d.first, d.last
		family[r], etherType[r] = engine.FamilyIPv4, engine.EtherIPv4
		if t.Version == 6 {
			family[r], etherType[r] = engine.FamilyIPv6, engine.EtherIPv6
		}
		reason[r], tos[r], flags[r] = d.reason, t.TOS, d.flags
		ifin[r], vlanID[r], epochs[r] = uint32(d.about&aboutIfindex), uint16(d.about>>32), epoch
		if d.about&aboutHasIfindex != 0 {
			bits |= o.ifindex
		}
		if ifout[r] = d.ifout; d.ifout != 0 {
			bits |= o.output
		}
		if d.about&aboutHasVLAN != 0 {
			bits |= o.vlan
		}
		have[r] = bits
	}
}

func (o *out) fillLinks(b *engine.Batch, at int, list []ended) {
	have, mark, macSrc, macDst := b.Have(), o.mark.Of(b), o.macSrc.Of(b), o.macDst.Of(b)
	for i := range list {
		r, l := engine.Row(at+i), &list[i].link
		mark[r], macSrc[r], macDst[r] = l.mark, l.src, l.dst
		if l.has&linkMark != 0 {
			have[r] |= o.hasMark
		}
		if l.has&linkSrc != 0 {
			have[r] |= o.hasSrc
		}
		if l.has&linkDst != 0 {
			have[r] |= o.hasDst
		}
		if l.has&linkPriority != 0 {
			o.priority.Of(b)[r] = l.priority
			have[r] |= o.hasPriority
		}
		if l.has&linkCustomer != 0 {
			o.customer.Of(b)[r], o.customerPriority.Of(b)[r] = l.customer, l.customerPriority
			have[r] |= o.hasCustomer
		}
	}
}

func (o *out) fillReplies(b *engine.Batch, at int, list []ended) {
	have := b.Have()
	saddr, daddr, protocol, sport, dport := o.rsaddr.Of(b), o.rdaddr.Of(b), o.rprotocol.Of(b), o.rsport.Of(b), o.rdport.Of(b)
	octets, packets, start, end := o.roctets.Of(b), o.rpacket.Of(b), o.rstart.Of(b), o.rend.Of(b)
	tos, flags := o.rtos.Of(b), o.rflags.Of(b)
	for i := range list {
		d, r := &list[i], engine.Row(at+i)
		t, y := &d.tuple, &d.reply
		saddr[r], daddr[r], protocol[r], sport[r], dport[r] = t.Dst, t.Src, t.Proto, t.Dport, t.Sport
		octets[r], packets[r], start[r], end[r] = y.octets, uint64(y.packets), y.first, y.last
		tos[r], flags[r] = y.tos, y.flags
		bits := o.replied
		if have[r]&o.ports != 0 {
			bits |= o.repliedPorts
		}
		if y.packets > 0 {
			bits |= o.answered
			if t.Proto == ipproto.TCP {
				bits |= o.repliedTCP
			}
		}
		have[r] |= bits
	}
}
