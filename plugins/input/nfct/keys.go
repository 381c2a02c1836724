// The keys of a connection, in ulogd2's order, and writing them.

package nfct

import (
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/key"
)

// columns are the keys. A group of keys comes and goes together.
type columns struct {
	all, ports, icmp, icmp6, start, end, reason, state, labels, labelText, helper, secctx, zones, master, masterPorts, recovered, left, gone engine.Group

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
	translations                       engine.Col[struct{}]
}

func (c *columns) bind(p *engine.Binder) {
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
	c.translations = engine.GiveExtra(p, c.all, key.CTTranslations)
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
		c, b.Have(),
		c.saddr.Of(b), c.daddr.Of(b), c.rsaddr.Of(b), c.rdaddr.Of(b),
		c.proto.Of(b), c.rproto.Of(b), c.family.Of(b),
		c.sport.Of(b), c.dport.Of(b), c.rsport.Of(b), c.rdport.Of(b),
		c.octets.Of(b), c.packets.Of(b), c.roctets.Of(b), c.rpackets.Of(b),
		c.mark.Of(b), c.id.Of(b), c.event.Of(b), c.status.Of(b), c.timeout.Of(b),
		c.flowStart.Of(b), c.flowEnd.Of(b), c.entryEnd.Of(b),
		c.endReason.Of(b), c.tcpState.Of(b),
		c.etherType.Of(b), c.zone.Of(b),
		c.offload.Of(b),
		c.all.Mask(), c.ports.Mask(), c.start.Mask(), c.end.Mask(), c.reason.Mask(), c.state.Mask(), c.left.Mask(), c.gone.Mask(),
	}
}

// put writes a connection into row r. reason is 0 for a record that is not an end; start and end
// are 0 where they are not known.
func (w *writer) put(b *engine.Batch, r engine.Row, f *flow, reason uint8, start, end int64) {
	w.saddr[r], w.daddr[r] = f.orig.src, f.orig.dst
	w.rsaddr[r], w.rdaddr[r] = f.reply.src, f.reply.dst
	w.proto[r], w.rproto[r], w.family[r] = f.orig.proto, f.reply.proto, f.family
	w.sport[r], w.dport[r] = f.orig.sport, f.orig.dport
	w.rsport[r], w.rdport[r] = f.reply.sport, f.reply.dport
	w.octets[r], w.packets[r] = f.sent.octets, f.sent.packets
	w.roctets[r], w.rpackets[r] = f.answered.octets, f.answered.packets
	w.mark[r], w.id[r], w.event[r], w.status[r], w.timeout[r] = f.mark, f.id, uint32(f.event), f.status, f.timeout
	w.start[r], w.end[r], w.gone[r] = engine.Time(start), engine.Time(end), engine.Time(f.ended)
	w.reason[r], w.tcpState[r] = reason, f.tcpState
	w.etherType[r], w.zone[r] = 0, f.zone
	w.offload[r] = f.status&statusOffload != 0

	have := w.maskAll
	if f.orig.has&hasPorts != 0 && f.orig.proto != unix.IPPROTO_GRE { // GRE's attributes of that name hold its keys
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
	if f.has&hasTCP != 0 {
		have |= w.maskState
	}
	if f.ended != 0 {
		have |= w.maskGone
	}
	if f.timeout != 0 {
		have |= w.maskLeft
	}
	w.have[r] = have
	const rare = hasLabels | hasHelper | hasSecCtx | hasMaster
	if (f.orig.has|f.reply.has)&(hasICMP|hasZone) != 0 || f.has&rare != 0 {
		w.putRare(b, r, f)
	}
}

// putRare writes what few connections have.
func (w *writer) putRare(b *engine.Batch, r engine.Row, f *flow) {
	have := uint64(0)
	if f.orig.has&hasICMP != 0 {
		if f.family == unix.AF_INET6 {
			w.type6.Of(b)[r], w.code6.Of(b)[r] = f.orig.icmpType, f.orig.icmpCode
			have |= w.icmp6.Mask()
		} else {
			w.icmpType.Of(b)[r], w.icmpCode.Of(b)[r] = f.orig.icmpType, f.orig.icmpCode
			have |= w.icmp.Mask()
		}
	}
	if (f.orig.has|f.reply.has)&hasZone != 0 {
		orig, reply := &w.zoneOrig.Of(b)[r], &w.zoneReply.Of(b)[r]
		*orig, *reply = 0, 0
		if f.orig.has&hasZone != 0 {
			*orig = f.orig.zone
		}
		if f.reply.has&hasZone != 0 {
			*reply = f.reply.zone
		}
		have |= w.zones.Mask()
	}
	if f.has&hasLabels != 0 {
		w.label.Of(b)[r] = f.labels
		have |= w.labels.Mask()
	}
	if f.has&hasMaster != 0 {
		w.masterSaddr.Of(b)[r], w.masterDaddr.Of(b)[r] = f.master.src, f.master.dst
		w.masterProto.Of(b)[r] = f.master.proto
		w.masterSport.Of(b)[r], w.masterDport.Of(b)[r] = f.master.sport, f.master.dport
		have |= w.master.Mask()
		if f.master.has&hasPorts != 0 {
			have |= w.masterPorts.Mask()
		}
	}
	w.have[r] |= have
}
