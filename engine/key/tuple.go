// The fused key by which FLOW finds the flow of a packet.

package key

import "ulogd/engine"

// Tuple is what makes a packet part of a flow, as one column: FLOW hashes and compares it as it is.
type Tuple struct {
	Src, Dst     engine.Addr
	Sport, Dport uint16 // 0 where there are none; ICMP and ICMPv6: ICMPKnown, and type*256+code, or 0 and 0
	Proto        uint8
	TOS          uint8
	Version      uint8 // 4 or 6
	Frag         uint8 // FragWhole ...
}

// ICMPKnown is the source port of a packet of ICMP whose type and code are known: type 0 and code 0
// are an echo reply.
const ICMPKnown = 1

// Where in its datagram a packet is.
const (
	FragWhole uint8 = iota // not fragmented
	FragFirst              // the first fragment: it has the ports
	FragLater              // a later one: it has none
)

// What BASE makes of a packet for FLOW in one go.
var (
	FlowTuple = key[Tuple]("flow.tuple", none, "",
		"addresses, ports, protocol, type of service and IP version as one value")
	FlowOctets = key[uint32]("flow.octets", none, "octets",
		"layer-3 length as the IP header says, or the length on the wire where it says 0")
	FlowSegments = key[uint32]("flow.segments", none, "packets",
		"packets on the wire that this one is: joined by GRO, or going to be cut by the interface (TSO); there for more "+
			"than 1")
	FlowSegmentHeaders = key[uint32]("flow.segments.headers", none, "octets",
		"where the data of such a packet begins in raw.pkt: each of those on the wire has headers like those before it")
	FlowFragID = key[uint32]("flow.fragid", none, "", "IP identification of a fragment")
	FlowCut    = key[bool]("flow.cut", none, "", "there for IP packets that have no flow.tuple: the header is not there as a whole, or cannot be true")
	FlowHash   = key[uint32]("flow.hash", none, "", "keyed hash of flow.tuple")
)
