// Keys of packets as inputs give them, and of what came with them.

package key

import (
	"ulogd/engine"
	"ulogd/engine/element"
)

// What inputs of packets give: the bytes, and what the kernel knows besides ("out of band").
var (
	RawMAC        = key[engine.Raw]("raw.mac", none, "", "link-layer header")
	RawPkt        = key[engine.Raw]("raw.pkt", nf(1), "", "packet from its network header on, as far as it was captured")
	RawPktLen     = key[uint32]("raw.pktlen", nf(2), "octets", "captured length of raw.pkt")
	RawPktCount   = key[uint32]("raw.pktcount", is(element.PacketDeltaCount), "packets", "packets that the record stands for: 1")
	RawMACLen     = key[uint16]("raw.mac_len", none, "octets", "length of raw.mac")
	RawLabel      = key[uint8]("raw.label", none, "", "constant of the input's numeric_label setting: 0 blocked, 1 allowed by custom")
	RawType       = key[uint16]("raw.type", none, "", "hardware type of the interface (ARPHRD): 1 Ethernet, 772 loopback")
	RawMACSaddr   = key[engine.Raw]("raw.mac.saddr", is(element.SourceMACAddress), "", "source hardware address")
	RawMACAddrLen = key[uint16]("raw.mac.addrlen", none, "octets", "length of raw.mac.saddr")
	RawMACDaddr   = key[engine.Raw]("raw.mac.daddr", is(element.DestinationMACAddress), "",
		"destination hardware address, where the link layer has one")
	RawWireLen = key[uint32]("raw.wirelen", none, "octets",
		"length of the whole packet on the wire from its network header on, also where less was captured")

	Raw = key[engine.Raw]("raw", none, "", "the record as the kernel sent it")
	CT  = key[engine.Raw]("ct", none, "", "the connection as the kernel sent it")

	OOBPrefix = key[engine.String]("oob.prefix", nf(3), "", "prefix of the rule that logged the packet")
	OOBTime   = key[engine.Time]("oob.time",
		is(element.ObservationTimeMilliseconds, element.ObservationTimeMicroseconds, element.ObservationTimeNanoseconds,
			element.FlowStartMilliseconds, element.FlowEndMilliseconds),
		"ns", "when the packet was seen")
	OOBMark = key[uint32]("oob.mark", nf(4), "", "netfilter mark of the packet")
	OOBIfIn = key[uint32]("oob.ifindex_in", is(element.IngressInterface), "",
		"index of the interface the packet came in by")
	OOBIfOut = key[uint32]("oob.ifindex_out", is(element.EgressInterface), "",
		"index of the interface the packet leaves by")
	OOBHook = key[uint8]("oob.hook", nf(5), "",
		"netfilter hook: 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting")
	OOBSeqLocal  = key[uint32]("oob.seq.local", nf(7), "", "number of the packet within its log group")
	OOBSeqGlobal = key[uint32]("oob.seq.global", nf(8), "",
		"number of the packet among all log groups of the namespace")
	OOBFamily   = engine.OOBFamily
	OOBProtocol = engine.OOBProtocol
	OOBUID      = key[uint32]("oob.uid", nf(1001), "", "user that owns the sending socket")
	OOBGID      = key[uint32]("oob.gid", nf(1002), "", "group that owns the sending socket")
	OOBIfPhysIn = key[uint32]("oob.ifindex_physin", is(element.IngressPhysicalInterface), "",
		"index of the bridge port the packet came in by")
	OOBIfPhysOut = key[uint32]("oob.ifindex_physout", is(element.EgressPhysicalInterface), "",
		"index of the bridge port the packet leaves by")
	OOBVLAN = key[uint16]("oob.vlan.id", is(element.VLANID, element.Dot1qVLANID), "",
		"VLAN identifier of the outermost tag")
	OOBVLANPriority = key[uint8]("oob.vlan.priority", is(element.Dot1qPriority), "",
		"priority in the outermost VLAN tag")
	OOBCustomerVLAN = key[uint16]("oob.vlan.customer.id", is(element.Dot1qCustomerVLANID), "",
		"VLAN identifier of the tag behind the outermost")
	OOBCustomerPriority = key[uint8]("oob.vlan.customer.priority", is(element.Dot1qCustomerPriority), "",
		"priority in the VLAN tag behind the outermost")
	OOBIn = key[engine.String]("oob.in", is(element.InterfaceName), "",
		"name of the interface the packet came in by")
	OOBOut = key[engine.String]("oob.out", none, "", "name of the interface the packet leaves by")

	MACSaddrStr = key[engine.String]("mac.saddr.str", none, "", "source hardware address as text")
	MACDaddrStr = key[engine.String]("mac.daddr.str", none, "", "destination hardware address as text")
	MACStr      = key[engine.String]("mac.str", none, "", "link-layer header as text")
	Print       = key[engine.String]("print", none, "", "the record as one line of text, newline included")
)

// OOBMPLS are the topmost labels of a packet, the outermost first: of each section the label, the
// class and the bit for the bottom (RFC 3032 without the time to live).
var OOBMPLS = [...]engine.Key[uint32]{
	key[uint32]("oob.mpls.1", is(element.MPLSTopLabelStackSection), "",
		"topmost section of the MPLS label stack: label*16 + class*2 + bottom"),
	key[uint32]("oob.mpls.2", is(element.MPLSLabelStackSection2), "", "second section of the MPLS label stack"),
	key[uint32]("oob.mpls.3", is(element.MPLSLabelStackSection3), "", "third section of the MPLS label stack"),
	key[uint32]("oob.mpls.4", is(element.MPLSLabelStackSection4), "", "fourth section of the MPLS label stack"),
}

// What the UNIXSOCK input's clients tell of a packet.
var (
	NufwUserName = key[engine.String]("nufw.user.name", none, "", "name of the user")
	NufwUserID   = key[uint32]("nufw.user.id", none, "", "number of the user")
	NufwOSName   = key[engine.String]("nufw.os.name", none, "", "operating system")
	NufwOSRel    = key[engine.String]("nufw.os.rel", none, "", "operating system's release")
	NufwOSVers   = key[engine.String]("nufw.os.vers", none, "", "operating system's version")
	NufwAppName  = key[engine.String]("nufw.app.name", none, "", "application")
)
