// Keys of flows: both directions, counters, times, and what conntrack adds.

package key

import (
	"ulogd/engine"
	"ulogd/engine/element"
)

// What a flow is: given by NFCT from conntrack and by FLOW from packets, under the same names.
// "orig" is the direction of the first packet.
var (
	OrigSaddr    = key[engine.Addr]("orig.ip.saddr", is(element.SourceIPv4Address, element.SourceIPv6Address), "", "source address")
	OrigDaddr    = key[engine.Addr]("orig.ip.daddr", is(element.DestinationIPv4Address, element.DestinationIPv6Address), "", "destination address")
	OrigProtocol = key[uint8]("orig.ip.protocol", is(element.ProtocolIdentifier), "", "IP protocol")
	OrigSport    = key[uint16]("orig.l4.sport", is(element.SourceTransportPort), "", "source port")
	OrigDport    = key[uint16]("orig.l4.dport", is(element.DestinationTransportPort), "", "destination port")
	OrigOctets   = key[uint64]("orig.raw.pktlen", is(element.OctetDeltaCount, element.OctetTotalCount), "octets", "layer-3 octets")
	OrigPackets  = key[uint64]("orig.raw.pktcount", is(element.PacketDeltaCount, element.PacketTotalCount), "packets", "packets")

	ReplySaddr    = key[engine.Addr]("reply.ip.saddr", is(element.SourceIPv4Address, element.SourceIPv6Address, element.PostNATDestinationIPv4Address, element.PostNATDestinationIPv6Address), "", "source address of replies; differs from orig.ip.daddr behind destination NAT")
	ReplyDaddr    = key[engine.Addr]("reply.ip.daddr", is(element.DestinationIPv4Address, element.DestinationIPv6Address, element.PostNATSourceIPv4Address, element.PostNATSourceIPv6Address), "", "destination address of replies; differs from orig.ip.saddr behind source NAT")
	ReplyProtocol = key[uint8]("reply.ip.protocol", is(element.ProtocolIdentifier), "", "IP protocol of replies")
	ReplySport    = key[uint16]("reply.l4.sport", is(element.SourceTransportPort, element.PostNAPTDestinationTransportPort), "", "source port of replies")
	ReplyDport    = key[uint16]("reply.l4.dport", is(element.DestinationTransportPort, element.PostNAPTSourceTransportPort), "", "destination port of replies")
	ReplyOctets   = key[uint64]("reply.raw.pktlen", is(element.OctetDeltaCount, element.OctetTotalCount), "octets", "layer-3 octets of replies")
	ReplyPackets  = key[uint64]("reply.raw.pktcount", is(element.PacketDeltaCount, element.PacketTotalCount), "packets", "packets of replies")

	FlowStart     = key[engine.Time]("flow.start", is(element.FlowStartMilliseconds, element.FlowStartSysUpTime, element.FlowStartSeconds, element.FlowStartMicroseconds, element.FlowStartNanoseconds), "ns", "when the flow began")
	FlowEnd       = key[engine.Time]("flow.end", is(element.FlowEndMilliseconds, element.FlowEndSysUpTime, element.FlowEndSeconds, element.FlowEndMicroseconds, element.FlowEndNanoseconds), "ns", "when the flow ended, or its newest packet")
	FlowEndReason = key[uint8]("flow.end.reason", is(element.FlowEndReason), "", "why the record was made: 1 idle timeout, 2 active timeout, 3 end of flow detected, 4 forced end, 5 lack of resources")
	FlowEpoch     = key[engine.Time]("flow.epoch", none, "ns", "the first packet that the flow cache has seen; NetFlow counts its uptime from there")

	OrigTOS    = key[uint8]("orig.ip.tos", is(element.IPClassOfService), "", "type of service octet of the first packet")
	ReplyTOS   = key[uint8]("reply.ip.tos", is(element.IPClassOfService), "", "type of service octet of the first reply")
	OrigMinTTL = key[uint8]("orig.ip.ttl.min", is(element.MinimumTTL), "hops",
		"least time to live, or hop limit, of the packets; known of FLOW where somebody reads it")
	OrigMaxTTL = key[uint8]("orig.ip.ttl.max", is(element.MaximumTTL), "hops",
		"most time to live, or hop limit, of the packets; known of FLOW where somebody reads it")
	ReplyMinTTL = key[uint8]("reply.ip.ttl.min", is(element.MinimumTTL), "hops",
		"least time to live, or hop limit, of the replies")
	ReplyMaxTTL = key[uint8]("reply.ip.ttl.max", is(element.MaximumTTL), "hops",
		"most time to live, or hop limit, of the replies")
	OrigTCPFlags  = key[uint16]("orig.tcp.flags", is(element.TCPControlBits), "", "OR of the TCP flags of all packets (RFC 9565)")
	ReplyTCPFlags = key[uint16]("reply.tcp.flags", is(element.TCPControlBits), "", "OR of the TCP flags of all replies (RFC 9565)")
	ReplyStart    = key[engine.Time]("reply.flow.start", is(element.FlowStartMilliseconds, element.FlowStartSysUpTime, element.FlowStartSeconds, element.FlowStartMicroseconds, element.FlowStartNanoseconds), "ns", "first packet of the reply direction")
	ReplyEnd      = key[engine.Time]("reply.flow.end", is(element.FlowEndMilliseconds, element.FlowEndSysUpTime, element.FlowEndSeconds, element.FlowEndMicroseconds, element.FlowEndNanoseconds), "ns", "newest packet of the reply direction")
	OrigMACSaddr  = key[engine.MAC]("orig.mac.saddr", is(element.SourceMACAddress), "", "source hardware address of the first packet")
	OrigMACDaddr  = key[engine.MAC]("orig.mac.daddr", is(element.DestinationMACAddress), "", "destination hardware address of the first packet")

	RouteNextHop = key[engine.Addr]("route.nexthop", is(element.IPNextHopIPv4Address, element.IPNextHopIPv6Address), "", "gateway towards the destination")
	RouteSrcPlen = key[uint8]("route.src.plen", is(element.SourceIPv4PrefixLength, element.SourceIPv6PrefixLength), "bits", "prefix length of the source's route")
	RouteDstPlen = key[uint8]("route.dst.plen", is(element.DestinationIPv4PrefixLength, element.DestinationIPv6PrefixLength), "bits", "prefix length of the destination's route")
)

// Values of flow.end.reason (IANA flowEndReason, RFC 5102 section 5.11.3).
const (
	EndIdle      = 1 // nothing came for the idle timeout
	EndActive    = 2 // the flow goes on: it is older than the active timeout
	EndDetected  = 3 // its end was seen, such as FIN or RST
	EndForced    = 4 // somebody removed it, or metering ends
	EndResources = 5 // there was no room for it any more
)

// What only conntrack knows.
var (
	CTMark   = key[uint32]("ct.mark", nf(4), "", "connection mark")
	CTID     = key[uint32]("ct.id", append(is(element.FlowID), nf(6)...), "", "identifier of the conntrack entry")
	CTEvent  = key[uint32]("ct.event", append(is(element.NATEvent), nf(1003)...), "", "1 new, 2 update, 4 destroyed")
	CTZone   = key[uint16]("ct.zone", nf(1004), "", "conntrack zone")
	CTLabels = key[engine.Label]("ct.labels", nf(1005), "", "connection labels, 128 bits")
	CTStatus = key[uint32]("ct.status", nf(1006), "", "status bits (IPS_*): 2 seen reply, 4 assured, 16 source NAT, 32 destination NAT")
	CTHelper = key[engine.String]("ct.helper", nf(1007), "", "name of the helper that follows the connection")
	// CTTCPState counts as linux/netfilter/nf_conntrack_tcp.h does.
	CTTCPState  = key[uint8]("ct.tcp.state", nf(1008), "", "state of a TCP connection: 1 SYN_SENT, 3 ESTABLISHED, 7 TIME_WAIT, 8 CLOSE ...")
	CTSecCtx    = key[engine.String]("ct.secctx", nf(1009), "", "security context")
	CTRecovered = key[bool]("ct.recovered", nf(1010), "", "the end was not seen: counters are the last that were known")
	CTLabelText = key[engine.String]("ct.labels.str", none, "", "names of the connection labels that are set, by connlabel.conf")
	CTOffload   = key[bool]("ct.offload", nf(1011), "", "the connection was handled by a flowtable or by hardware")
	CTZoneOrig  = key[uint16]("ct.zone.orig", nf(1012), "", "conntrack zone of the original direction only")
	CTZoneReply = key[uint16]("ct.zone.reply", nf(1013), "", "conntrack zone of the reply direction only")
	CTTimeout   = key[uint32]("ct.timeout", none, "s", "time that the conntrack entry had left")
	CTEnd       = key[engine.Time]("ct.end", none, "ns", "when the conntrack entry ended, and with it its translation; flow.end is the last packet")
	// CTTranslations has no value: NFCT sees that somebody reads it.
	CTTranslations = key[struct{}]("ct.translations", none, "", "whoever reads this wants a record of each translated connection that begins, also where ends only are reported")
	// The master is the connection whose helper expected this one, such as an FTP control
	// connection.
	CTMasterSaddr    = key[engine.Addr]("ct.master.saddr", none, "", "source address of the master connection")
	CTMasterDaddr    = key[engine.Addr]("ct.master.daddr", none, "", "destination address of the master connection")
	CTMasterProtocol = key[uint8]("ct.master.protocol", nf(1017), "", "IP protocol of the master connection")
	CTMasterSport    = key[uint16]("ct.master.sport", nf(1018), "", "source port of the master connection")
	CTMasterDport    = key[uint16]("ct.master.dport", nf(1019), "", "destination port of the master connection")
)

// What NFACCT and NFTCOUNTER read of a named counter.
var (
	SumName    = key[engine.String]("sum.name", nf(1014), "", "name of the counter")
	SumPackets = key[uint64]("sum.pkts", is(element.PacketDeltaCount, element.PacketTotalCount), "packets", "packets counted")
	SumOctets  = key[uint64]("sum.bytes", is(element.OctetDeltaCount, element.OctetTotalCount), "octets", "octets counted")
	SumQuota   = key[uint64]("sum.quota", none, "", "quota of the counter, in packets or octets as sum.flags says")
	SumFamily  = key[engine.String]("sum.family", none, "",
		"family of the counter's table: inet, ip, ip6, arp, bridge or netdev")
	SumTable = key[engine.String]("sum.table", none, "", "table that the counter stands in")
	SumFlags = key[uint32]("sum.flags", none, "", "1: the quota is in packets, 2: in octets, 4: it is used up")
)
