// The keys of a connection, in ulogd2's order, and writing them.

package rows

import (
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// columns are the keys. A group of keys comes and goes together.
type columns struct {
	all, ports, icmp, icmp6, start, end, reason, state, labels, labelText engine.Group
	helper, secctx, zones, master, masterPorts, recovered, left, gone     engine.Group

	saddr, daddr, rsaddr, rdaddr       engine.Col[engine.Addr]
	proto, rproto                      engine.Col[uint8]
	sport, dport, rsport, rdport       engine.Col[uint16]
	octets, packets, roctets, rpackets engine.Col[uint64]
	icmpCode, icmpType, code6, type6   engine.Col[uint8]
	mark, id, event                    engine.Col[uint32]
	flowStart, flowEnd, entryEnd       engine.Col[engine.Time]
	family                             engine.Col[uint8]
	etherType                          engine.Col[uint16]
	zone                               engine.Col[uint16]
	status, timeout                    engine.Col[uint32]
	offload                            engine.Col[bool]
	endReason, tcpState                engine.Col[uint8]
	label                              engine.Col[engine.Label]
	labelNames, helperName, secctxName engine.Col[engine.String]
	zoneOrig, zoneReply                engine.Col[uint16]
	masterSaddr, masterDaddr           engine.Col[engine.Addr]
	masterProto                        engine.Col[uint8]
	masterSport, masterDport           engine.Col[uint16]
	isRecovered                        engine.Col[bool]
	Translations                       engine.Col[struct{}]
}

func (c *columns) Bind(p *engine.Binder) {
	for _, g := range []*engine.Group{
		&c.all, &c.ports, &c.icmp, &c.icmp6, &c.start, &c.end, &c.reason, &c.state, &c.labels, &c.labelText,
		&c.helper, &c.secctx, &c.zones, &c.master, &c.masterPorts, &c.recovered, &c.left, &c.gone,
	} {
		*g = p.Group()
	}
	c.saddr = engine.Give(p, c.all, key.OrigSaddr)
	c.daddr = engine.Give(p, c.all, key.OrigDaddr)
	c.proto = engine.Give(p, c.all, key.OrigProtocol)
	c.sport = engine.Give(p, c.ports, key.OrigSport)
	c.dport = engine.Give(p, c.ports, key.OrigDport)
	c.octets = engine.Give(p, c.all, key.OrigOctets)
	c.packets = engine.Give(p, c.all, key.OrigPackets)
	c.rsaddr = engine.Give(p, c.all, key.ReplySaddr)
	c.rdaddr = engine.Give(p, c.all, key.ReplyDaddr)
	c.rproto = engine.Give(p, c.all, key.ReplyProtocol)
	c.rsport = engine.Give(p, c.ports, key.ReplySport)
	c.rdport = engine.Give(p, c.ports, key.ReplyDport)
	c.roctets = engine.Give(p, c.all, key.ReplyOctets)
	c.rpackets = engine.Give(p, c.all, key.ReplyPackets)
	c.icmpCode = engine.Give(p, c.icmp, key.ICMPCode)
	c.icmpType = engine.Give(p, c.icmp, key.ICMPType)
	c.code6 = engine.GiveExtra(p, c.icmp6, key.ICMP6Code)
	c.type6 = engine.GiveExtra(p, c.icmp6, key.ICMP6Type)
	c.mark = engine.Give(p, c.all, key.CTMark)
	c.id = engine.Give(p, c.all, key.CTID)
	c.event = engine.Give(p, c.all, key.CTEvent)
	c.flowStart = engine.Give(p, c.start, key.FlowStart)
	c.flowEnd = engine.Give(p, c.end, key.FlowEnd)
	c.family = engine.Give(p, c.all, key.OOBFamily)
	c.etherType = engine.Give(p, c.all, key.OOBProtocol)

	c.endReason = engine.GiveExtra(p, c.reason, key.FlowEndReason)
	c.zone = engine.GiveExtra(p, c.all, key.CTZone)
	c.entryEnd = engine.GiveExtra(p, c.gone, key.CTEnd)
	c.zoneOrig = engine.GiveExtra(p, c.zones, key.CTZoneOrig)
	c.zoneReply = engine.GiveExtra(p, c.zones, key.CTZoneReply)
	c.status = engine.GiveExtra(p, c.all, key.CTStatus)
	c.timeout = engine.GiveExtra(p, c.left, key.CTTimeout)
	c.offload = engine.GiveExtra(p, c.all, key.CTOffload)
	c.tcpState = engine.GiveExtra(p, c.state, key.CTTCPState)
	c.label = engine.GiveExtra(p, c.labels, key.CTLabels)
	c.labelNames = engine.GiveExtra(p, c.labelText, key.CTLabelText)
	c.helperName = engine.GiveExtra(p, c.helper, key.CTHelper)
	c.secctxName = engine.GiveExtra(p, c.secctx, key.CTSecCtx)
	c.masterSaddr = engine.GiveExtra(p, c.master, key.CTMasterSaddr)
	c.masterDaddr = engine.GiveExtra(p, c.master, key.CTMasterDaddr)
	c.masterProto = engine.GiveExtra(p, c.master, key.CTMasterProtocol)
	c.masterSport = engine.GiveExtra(p, c.masterPorts, key.CTMasterSport)
	c.masterDport = engine.GiveExtra(p, c.masterPorts, key.CTMasterDport)
	c.isRecovered = engine.GiveExtra(p, c.recovered, key.CTRecovered)
	c.Translations = engine.GiveExtra(p, c.all, key.CTTranslations)
}

// writer is the columns of one batch.
type writer struct {
	*columns
	have                               *[engine.BatchSize]uint64
	saddr, daddr, rsaddr, rdaddr       *[engine.BatchSize]engine.Addr
	proto, rproto, family              *[engine.BatchSize]uint8
	sport, dport, rsport, rdport       *[engine.BatchSize]uint16
	octets, packets, roctets, rpackets *[engine.BatchSize]uint64
	mark, id, event, status, timeout   *[engine.BatchSize]uint32
	start, end, gone                   *[engine.BatchSize]engine.Time
	reason, tcpState                   *[engine.BatchSize]uint8
	etherType, zone                    *[engine.BatchSize]uint16
	offload                            *[engine.BatchSize]bool

	maskAll, maskPorts, maskStart, maskEnd, maskReason, maskState, maskLeft, maskGone uint64
}

// of finds the columns in b, once per batch.
func (c *columns) of(b *engine.Batch) writer {
	return writer{
		columns: c, have: b.Have(),
		saddr: c.saddr.Of(b), daddr: c.daddr.Of(b), rsaddr: c.rsaddr.Of(b), rdaddr: c.rdaddr.Of(b),
		proto: c.proto.Of(b), rproto: c.rproto.Of(b), family: c.family.Of(b),
		sport: c.sport.Of(b), dport: c.dport.Of(b), rsport: c.rsport.Of(b), rdport: c.rdport.Of(b),
		octets: c.octets.Of(b), packets: c.packets.Of(b), roctets: c.roctets.Of(b), rpackets: c.rpackets.Of(b),
		mark: c.mark.Of(b), id: c.id.Of(b), event: c.event.Of(b), status: c.status.Of(b), timeout: c.timeout.Of(b),
		start: c.flowStart.Of(b), end: c.flowEnd.Of(b), gone: c.entryEnd.Of(b),
		reason: c.endReason.Of(b), tcpState: c.tcpState.Of(b),
		etherType: c.etherType.Of(b), zone: c.zone.Of(b),
		offload: c.offload.Of(b),

		maskAll: c.all.Mask(), maskPorts: c.ports.Mask(), maskStart: c.start.Mask(), maskEnd: c.end.Mask(),
		maskReason: c.reason.Mask(), maskState: c.state.Mask(), maskLeft: c.left.Mask(), maskGone: c.gone.Mask(),
	}
}

// put writes a connection into row r. reason is 0 for a record that is not an end; start and end
// are 0 where they are not known.
func (w *writer) put(b *engine.Batch, r engine.Row, f *ctnetlink.Flow, reason uint8, start, end int64) {
	w.saddr[r], w.daddr[r] = f.Orig.Src, f.Orig.Dst
	w.rsaddr[r], w.rdaddr[r] = f.Reply.Src, f.Reply.Dst
	w.proto[r], w.rproto[r], w.family[r] = f.Orig.Proto, f.Reply.Proto, f.Family
	w.sport[r], w.dport[r] = f.Orig.Sport, f.Orig.Dport
	w.rsport[r], w.rdport[r] = f.Reply.Sport, f.Reply.Dport
	w.octets[r], w.packets[r] = f.Sent.Octets, f.Sent.Packets
	w.roctets[r], w.rpackets[r] = f.Answered.Octets, f.Answered.Packets
	w.mark[r], w.id[r], w.event[r], w.status[r], w.timeout[r] = f.Mark, f.ID, uint32(f.Event), f.Status, f.Timeout
	w.start[r], w.end[r], w.gone[r] = engine.Time(start), engine.Time(end), engine.Time(f.Ended)
	w.reason[r], w.tcpState[r] = reason, f.TCPState
	w.etherType[r], w.zone[r] = 0, f.Zone
	w.offload[r] = f.Status&ctnetlink.StatusOffload != 0

	have := w.maskAll
	if f.Orig.Has&ctnetlink.HasPorts != 0 &&
		f.Orig.Proto != unix.IPPROTO_GRE { // GRE's attributes of that name hold its keys
		have |= w.maskPorts
	}
	if start != 0 {
		have |= w.maskStart
	}
	if end != 0 {
		have |= w.maskEnd
	}
	if reason != 0 {
		have |= w.maskReason
	}
	if f.Has&ctnetlink.HasTCP != 0 {
		have |= w.maskState
	}
	if f.Ended != 0 {
		have |= w.maskGone
	}
	if f.Timeout != 0 {
		have |= w.maskLeft
	}
	w.have[r] = have
	const rare = ctnetlink.HasLabels | ctnetlink.HasHelper | ctnetlink.HasSecCtx | ctnetlink.HasMaster
	if (f.Orig.Has|f.Reply.Has)&(ctnetlink.HasICMP|ctnetlink.HasZone) != 0 || f.Has&rare != 0 {
		w.putRare(b, r, f)
	}
}

// putRare writes what few connections have.
func (w *writer) putRare(b *engine.Batch, r engine.Row, f *ctnetlink.Flow) {
	have := uint64(0)
	if f.Orig.Has&ctnetlink.HasICMP != 0 {
		if f.Family == unix.AF_INET6 {
			w.type6.Of(b)[r], w.code6.Of(b)[r] = f.Orig.ICMPType, f.Orig.ICMPCode
			have |= w.icmp6.Mask()
		} else {
			w.icmpType.Of(b)[r], w.icmpCode.Of(b)[r] = f.Orig.ICMPType, f.Orig.ICMPCode
			have |= w.icmp.Mask()
		}
	}
	if (f.Orig.Has|f.Reply.Has)&ctnetlink.HasZone != 0 {
		orig, reply := &w.zoneOrig.Of(b)[r], &w.zoneReply.Of(b)[r]
		*orig, *reply = 0, 0
		if f.Orig.Has&ctnetlink.HasZone != 0 {
			*orig = f.Orig.Zone
		}
		if f.Reply.Has&ctnetlink.HasZone != 0 {
			*reply = f.Reply.Zone
		}
		have |= w.zones.Mask()
	}
	if f.Has&ctnetlink.HasLabels != 0 {
		w.label.Of(b)[r] = f.Labels
		have |= w.labels.Mask()
	}
	if f.Has&ctnetlink.HasMaster != 0 {
		w.masterSaddr.Of(b)[r], w.masterDaddr.Of(b)[r] = f.Master.Src, f.Master.Dst
		w.masterProto.Of(b)[r] = f.Master.Proto
		w.masterSport.Of(b)[r], w.masterDport.Of(b)[r] = f.Master.Sport, f.Master.Dport
		have |= w.master.Mask()
		if f.Master.Has&ctnetlink.HasPorts != 0 {
			have |= w.masterPorts.Mask()
		}
	}
	w.have[r] |= have
}
