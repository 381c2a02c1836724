// All keys that BASE gives, and who fills them.

package base

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// keys are the bound columns. Those of one header are filled together, by the type of the header's
// name.
type keys struct {
	raw        engine.Col[engine.Raw]
	wireLen    engine.Col[uint32]
	family     engine.Col[uint8]
	protocolIn engine.Col[uint16]
	vlanIn     engine.Col[uint16]

	segments, segmentHeaders engine.Col[uint32]

	ip    ipKeys
	ip4   ip4Keys
	ip6   ip6Keys
	tcp   tcpKeys
	udp   udpKeys
	icmp  icmpKeys
	icmp6 icmp6Keys
	arp   arpKeys
	sctp  sctpKeys

	// Filled while the headers are found.
	fragOff6    engine.Col[uint16]
	fragID6     engine.Col[uint32]
	spi         engine.Col[uint32]
	protocolOut engine.Col[uint16]
	tuple       engine.Col[key.Tuple]
	octets      engine.Col[uint32]
	tcpFlags    engine.Col[uint16]
	fragID      engine.Col[uint32]
	vlan        engine.Col[uint16]
	cut         engine.Col[bool]
	familyOut   engine.Col[uint8]

	// What stood in front of the network header besides the VLAN.
	priority, customerPriority engine.Col[uint8]
	customer                   engine.Col[uint16]
	mpls                       [len(key.OOBMPLS)]engine.Col[uint32]
	priorityBits, customerBits uint64
	mplsBits                   [len(key.OOBMPLS)]uint64

	frag6Bits, spiBits, flowBits, flagBits, fragBits, vlanBits, cutBits uint64

	fills []filler // the headers of which somebody reads a key
}

// A filler fills the keys of one header.
type filler interface {
	wanted() bool
	fill(b *engine.Batch, h *headers)
}

// bind gives the keys in the order of ulogd2's BASE, which is that of outputs that print all keys.
func bind(p *engine.Binder) *keys {
	k := &keys{
		raw:        engine.Need(p, key.RawPkt),
		wireLen:    engine.Want(p, key.RawWireLen),
		family:     engine.Need(p, key.OOBFamily),
		protocolIn: engine.Want(p, key.OOBProtocol),
		vlanIn:     engine.Want(p, key.OOBVLAN),

		segments: engine.Want(p, key.FlowSegments), segmentHeaders: engine.Want(p, key.FlowSegmentHeaders),
	}
	frag, spi, flow, flags, fragID, vlan, cut := p.Group(), p.Group(), p.Group(), p.Group(), p.Group(), p.Group(), p.Group()
	k.frag6Bits, k.spiBits, k.flowBits = frag.Mask(), spi.Mask(), flow.Mask()
	k.flagBits, k.fragBits, k.vlanBits, k.cutBits = flags.Mask(), fragID.Mask(), vlan.Mask(), cut.Mask()

	k.ip.bind(p)
	k.ip4.bind(p)
	k.ip6.bind(p)
	k.fragOff6 = engine.Give(p, frag, key.IP6FragOff)
	k.fragID6 = engine.Give(p, frag, key.IP6FragID)
	k.tcp.bind(p)
	k.udp.bind(p)
	k.icmp.bind(p)
	k.icmp6.bind(p)
	k.spi = engine.Give(p, spi, key.AHESPSPI)
	k.protocolOut = engine.Give(p, engine.GroupOf(p, k.protocolIn), key.OOBProtocol)
	k.arp.bind(p)
	k.sctp.bind(p)

	k.tcpFlags = engine.GiveExtra(p, flags, key.TCPFlags)
	k.tuple = engine.GiveExtra(p, flow, key.FlowTuple)
	k.octets = engine.GiveExtra(p, flow, key.FlowOctets)
	k.fragID = engine.GiveExtra(p, fragID, key.FlowFragID)
	k.vlan = engine.GiveExtra(p, vlan, key.OOBVLAN)
	k.cut = engine.GiveExtra(p, cut, key.FlowCut)
	k.familyOut = engine.GiveExtra(p, engine.GroupOf(p, k.family), key.OOBFamily)

	priority, customer := p.Group(), p.Group()
	k.priorityBits, k.customerBits = priority.Mask(), customer.Mask()
	k.priority = engine.GiveExtra(p, priority, key.OOBVLANPriority)
	k.customer = engine.GiveExtra(p, customer, key.OOBCustomerVLAN)
	k.customerPriority = engine.GiveExtra(p, customer, key.OOBCustomerPriority)
	for i := range k.mpls {
		section := p.Group()
		k.mpls[i], k.mplsBits[i] = engine.GiveExtra(p, section, key.OOBMPLS[i]), section.Mask()
	}
	return k
}

// open finds out which headers are read.
func (k *keys) open() {
	k.fills = nil
	for _, f := range []filler{&k.ip, &k.ip4, &k.ip6, &k.tcp, &k.udp, &k.icmp, &k.icmp6, &k.arp, &k.sctp} {
		if f.wanted() {
			k.fills = append(k.fills, f)
		}
	}
}

// anyWanted reports whether one of a header's keys is read.
func anyWanted(cols ...interface{ Wanted() bool }) bool {
	for _, c := range cols {
		if c.Wanted() {
			return true
		}
	}
	return false
}

// columns are the arrays of the batch at hand that are filled packet by packet.
type columns struct {
	have        *[engine.BatchSize]uint64
	wire        *[engine.BatchSize]uint32
	protocol    *[engine.BatchSize]uint16
	family      *[engine.BatchSize]uint8
	fragOff6    *[engine.BatchSize]uint16
	fragID6     *[engine.BatchSize]uint32
	spi         *[engine.BatchSize]uint32
	protocolOut *[engine.BatchSize]uint16
	tuple       *[engine.BatchSize]key.Tuple
	octets      *[engine.BatchSize]uint32
	tcpFlags    *[engine.BatchSize]uint16
	fragID      *[engine.BatchSize]uint32
	vlan        *[engine.BatchSize]uint16
	familyOut   *[engine.BatchSize]uint8

	priority, customerPriority *[engine.BatchSize]uint8
	customer                   *[engine.BatchSize]uint16
	mpls                       [len(key.OOBMPLS)]*[engine.BatchSize]uint32
}

func (k *keys) columns(b *engine.Batch) columns {
	c := columns{
		have: b.Have(),
		wire: k.wireLen.Of(b), protocol: k.protocolIn.Of(b), family: k.family.Of(b),
		fragOff6: k.fragOff6.Of(b), fragID6: k.fragID6.Of(b), spi: k.spi.Of(b),
		protocolOut: k.protocolOut.Of(b),
		tuple:       k.tuple.Of(b), octets: k.octets.Of(b), tcpFlags: k.tcpFlags.Of(b), fragID: k.fragID.Of(b),
		vlan: k.vlan.Of(b), familyOut: k.familyOut.Of(b),
		priority: k.priority.Of(b), customer: k.customer.Of(b), customerPriority: k.customerPriority.Of(b),
	}
	for i := range k.mpls {
		c.mpls[i] = k.mpls[i].Of(b)
	}
	return c
}

// copies hands on what the input says. Tags and tunnels may change it packet by packet.
func (k *keys) copies(b *engine.Batch) {
	if k.protocolOut.Wanted() {
		from, to := k.protocolIn.Of(b), k.protocolOut.Of(b)
		for _, r := range b.Rows() {
			to[r] = from[r]
		}
	}
	if k.familyOut.Wanted() {
		from, to := k.family.Of(b), k.familyOut.Of(b)
		for _, r := range b.Rows() {
			to[r] = from[r]
		}
	}
	if k.vlan.Wanted() && k.vlanIn.Given() {
		from, to, have := k.vlanIn.Of(b), k.vlan.Of(b), b.Have()
		for _, r := range b.Rows() {
			if have[r]&k.vlanIn.Mask() != 0 {
				to[r] = from[r]
				have[r] |= k.vlanBits
			}
		}
	}
}
