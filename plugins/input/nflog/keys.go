// The keys of a packet: ulogd2's in ulogd2's order, then those that the kernel sends and ulogd2
// leaves out.

package nflog

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// columns are the keys, and the presence bits of those that come and go.
type columns struct {
	rawMAC, rawPkt, rawSaddr engine.Col[engine.Raw]
	prefix                   engine.Col[engine.String]
	time                     engine.Col[engine.Time]

	pktLen, pktCount, mark             engine.Col[uint32]
	ifIn, ifOut, physIn, physOut       engine.Col[uint32]
	seqLocal, seqGlobal, uid, gid      engine.Col[uint32]
	macLen, protocol, hwType, saddrLen engine.Col[uint16]
	vlan                               engine.Col[uint16]
	hook, family, label                engine.Col[uint8]

	conntrack

	always                                                                uint64
	hasMAC, hasPkt, hasPrefix, hasIn, hasOut, hasHdr, hasLocal, hasGlobal uint64
	hasUID, hasGID, hasSaddr, hasPhysIn, hasPhysOut, hasVLAN, hasCT       uint64
}

func (c *columns) bind(p *engine.Binder, n *nflog) {
	all, mac, pkt, hdr := p.Group(), p.Group(), p.Group(), p.Group()
	prefix, in, out := p.Group(), p.Group(), p.Group()
	local, global, uid, gid := p.Group(), p.Group(), p.Group(), p.Group()
	saddr, physIn, physOut, vlan, ct := p.Group(), p.Group(), p.Group(), p.Group(), p.Group()

	c.rawMAC = engine.Give(p, mac, key.RawMAC)
	c.rawPkt = engine.Give(p, pkt, key.RawPkt)
	c.pktLen = engine.Give(p, pkt, key.RawPktLen)
	c.pktCount = engine.Give(p, all, key.RawPktCount)
	c.prefix = engine.Give(p, prefix, key.OOBPrefix)
	c.time = engine.Give(p, all, key.OOBTime)
	c.mark = engine.Give(p, all, key.OOBMark)
	c.ifIn = engine.Give(p, in, key.OOBIfIn)
	c.ifOut = engine.Give(p, out, key.OOBIfOut)
	c.hook = engine.Give(p, hdr, key.OOBHook)
	c.macLen = engine.Give(p, mac, key.RawMACLen)
	c.seqLocal = engine.Give(p, local, key.OOBSeqLocal)
	c.seqGlobal = engine.Give(p, global, key.OOBSeqGlobal)
	c.family = engine.Give(p, all, key.OOBFamily)
	c.protocol = engine.Give(p, hdr, key.OOBProtocol)
	c.uid = engine.Give(p, uid, key.OOBUID)
	c.gid = engine.Give(p, gid, key.OOBGID)
	c.label = engine.Give(p, all, key.RawLabel)
	c.hwType = engine.Give(p, mac, key.RawType)
	c.rawSaddr = engine.Give(p, saddr, key.RawMACSaddr)
	c.saddrLen = engine.Give(p, saddr, key.RawMACAddrLen)

	c.physIn = engine.GiveExtra(p, physIn, key.OOBIfPhysIn)
	c.physOut = engine.GiveExtra(p, physOut, key.OOBIfPhysOut)
	c.vlan = engine.GiveExtra(p, vlan, key.OOBVLAN)
	c.conntrack.bind(p, ct)

	c.always = all.Mask()
	c.hasMAC, c.hasPkt, c.hasPrefix, c.hasHdr = mac.Mask(), pkt.Mask(), prefix.Mask(), hdr.Mask()
	c.hasIn, c.hasOut, c.hasPhysIn, c.hasPhysOut = in.Mask(), out.Mask(), physIn.Mask(), physOut.Mask()
	c.hasUID, c.hasGID, c.hasSaddr, c.hasVLAN, c.hasCT = uid.Mask(), gid.Mask(), saddr.Mask(), vlan.Mask(), ct.Mask()
	// The kernel numbers the packets always, to find losses; ulogd2 shows the numbers only where
	// asked to.
	if n.seqLocal {
		c.hasLocal = local.Mask()
	}
	if n.seqGlobal {
		c.hasGlobal = global.Mask()
	}
}

// arrays are the columns of one batch.
type arrays struct {
	rawMAC, rawPkt, rawSaddr *[engine.BatchSize]engine.Raw
	prefix                   *[engine.BatchSize]engine.String
	time                     *[engine.BatchSize]engine.Time

	pktLen, pktCount, mark             *[engine.BatchSize]uint32
	ifIn, ifOut, physIn, physOut       *[engine.BatchSize]uint32
	seqLocal, seqGlobal, uid, gid      *[engine.BatchSize]uint32
	macLen, protocol, hwType, saddrLen *[engine.BatchSize]uint16
	vlan                               *[engine.BatchSize]uint16
	hook, family, label                *[engine.BatchSize]uint8

	ctID, ctMark, ctStatus *[engine.BatchSize]uint32
	ctZone                 *[engine.BatchSize]uint16
	have                   *[engine.BatchSize]uint64
}

func (c *columns) of(b *engine.Batch) arrays {
	return arrays{
		rawMAC: c.rawMAC.Of(b), rawPkt: c.rawPkt.Of(b), rawSaddr: c.rawSaddr.Of(b),
		prefix: c.prefix.Of(b), time: c.time.Of(b),
		pktLen: c.pktLen.Of(b), pktCount: c.pktCount.Of(b), mark: c.mark.Of(b),
		ifIn: c.ifIn.Of(b), ifOut: c.ifOut.Of(b), physIn: c.physIn.Of(b), physOut: c.physOut.Of(b),
		seqLocal: c.seqLocal.Of(b), seqGlobal: c.seqGlobal.Of(b), uid: c.uid.Of(b), gid: c.gid.Of(b),
		macLen: c.macLen.Of(b), protocol: c.protocol.Of(b), hwType: c.hwType.Of(b), saddrLen: c.saddrLen.Of(b),
		vlan: c.vlan.Of(b),
		hook: c.hook.Of(b), family: c.family.Of(b), label: c.label.Of(b),
		ctID: c.ctID.Of(b), ctMark: c.ctMark.Of(b), ctStatus: c.ctStatus.Of(b), ctZone: c.ctZone.Of(b),
		have: b.Have(),
	}
}
