// Keys of packet headers, as BASE reads them.

package key

import (
	"ulogd/engine"
	"ulogd/engine/element"
)

// What BASE decodes of a packet's headers.
var (
	IPSaddr    = key[engine.Addr]("ip.saddr", is(element.SourceIPv4Address, element.SourceIPv6Address), "", "source address")
	IPDaddr    = key[engine.Addr]("ip.daddr", is(element.DestinationIPv4Address, element.DestinationIPv6Address), "", "destination address")
	IPProtocol = key[uint8]("ip.protocol", is(element.ProtocolIdentifier), "", "IP protocol; for IPv6 that behind the extension headers")
	IPTOS      = key[uint8]("ip.tos", is(element.IPClassOfService), "", "type of service octet")
	IPTTL      = key[uint8]("ip.ttl", is(element.IPTTL), "hops", "time to live")
	IPTotLen   = key[uint16]("ip.totlen", is(element.OctetDeltaCount, element.TotalLengthIPv4), "octets", "total length as the IPv4 header says")
	IPIHL      = key[uint8]("ip.ihl", is(element.IPv4IHL), "4 octets", "length of the IPv4 header")
	IPCsum     = key[uint16]("ip.csum", none, "", "checksum of the IPv4 header")
	IPID       = key[uint16]("ip.id", is(element.FragmentIdentification), "", "IPv4 identification")
	IPFragOff  = key[uint16]("ip.fragoff", is(element.FragmentOffset, element.FragmentFlags), "", "IPv4 flags and fragment offset: 0x4000 DF, 0x2000 MF, low 13 bits offset in units of 8 octets")

	IP6PayloadLen = key[uint16]("ip6.payloadlen", is(element.OctetDeltaCount, element.PayloadLengthIPv6), "octets", "payload length of the IPv6 header")
	IP6Priority   = key[uint8]("ip6.priority", is(element.IPClassOfService), "", "traffic class")
	IP6FlowLabel  = key[uint32]("ip6.flowlabel", is(element.FlowLabelIPv6), "", "flow label")
	IP6HopLimit   = key[uint8]("ip6.hoplimit", is(element.IPTTL), "hops", "hop limit")
	IP6NextHdr    = key[uint8]("ip6.nexthdr", none, "", "type of the last header reached")
	IP6FragOff    = key[uint16]("ip6.fragoff", none, "octets", "fragment offset")
	IP6FragID     = key[uint32]("ip6.fragid", none, "", "fragment identification")

	TCPSport    = cim[uint16]("tcp.sport", "src_port", is(element.SourceTransportPort, element.TCPSourcePort), "", "TCP source port")
	TCPDport    = cim[uint16]("tcp.dport", "dest_port", is(element.DestinationTransportPort, element.TCPDestinationPort), "", "TCP destination port")
	TCPSeq      = key[uint32]("tcp.seq", is(element.TCPSequenceNumber), "", "sequence number")
	TCPAckSeq   = key[uint32]("tcp.ackseq", is(element.TCPAcknowledgementNumber), "", "acknowledgement number")
	TCPWindow   = key[uint16]("tcp.window", is(element.TCPWindowSize), "octets", "window, unscaled")
	TCPOffset   = key[uint8]("tcp.offset", none, "4 octets", "header length")
	TCPReserved = key[uint8]("tcp.reserved", none, "", "reserved bits")
	TCPURG      = key[bool]("tcp.urg", none, "", "URG flag")
	TCPURGP     = key[uint16]("tcp.urgp", is(element.TCPUrgentPointer), "octets", "urgent pointer, where URG is set")
	TCPACK      = key[bool]("tcp.ack", none, "", "ACK flag")
	TCPPSH      = key[bool]("tcp.psh", none, "", "PSH flag")
	TCPRST      = key[bool]("tcp.rst", none, "", "RST flag")
	TCPSYN      = key[bool]("tcp.syn", none, "", "SYN flag")
	TCPFIN      = key[bool]("tcp.fin", none, "", "FIN flag")
	// ulogd2 types the next two as booleans and stores small numbers in them.
	TCPRes1  = key[uint8]("tcp.res1", none, "", "low four bits of octet 12 of the header")
	TCPRes2  = key[uint8]("tcp.res2", none, "", "CWR*2 + ECE")
	TCPCsum  = key[uint16]("tcp.csum", none, "", "TCP checksum")
	TCPFlags = key[uint16]("tcp.flags", is(element.TCPControlBits), "", "flags as RFC 9565 counts them: the low 12 bits of octets 12 and 13")

	UDPSport = cim[uint16]("udp.sport", "src_port", is(element.SourceTransportPort, element.UDPSourcePort), "", "UDP source port")
	UDPDport = cim[uint16]("udp.dport", "dest_port", is(element.DestinationTransportPort, element.UDPDestinationPort), "", "UDP destination port")
	UDPLen   = key[uint16]("udp.len", none, "octets", "UDP length")
	UDPCsum  = key[uint16]("udp.csum", none, "", "UDP checksum")

	ICMPType    = key[uint8]("icmp.type", is(element.ICMPTypeIPv4, element.ICMPTypeCodeIPv4), "", "ICMP type")
	ICMPCode    = key[uint8]("icmp.code", is(element.ICMPCodeIPv4, element.ICMPTypeCodeIPv4), "", "ICMP code")
	ICMPEchoID  = key[uint16]("icmp.echoid", none, "", "identifier of an echo message")
	ICMPEchoSeq = key[uint16]("icmp.echoseq", none, "", "sequence number of an echo message")
	ICMPGateway = key[engine.Addr]("icmp.gateway", none, "", "gateway of a redirect; pointer of a parameter problem in its first octet")
	ICMPFragMTU = key[uint16]("icmp.fragmtu", none, "octets", "next-hop MTU of fragmentation needed")
	ICMPCsum    = key[uint16]("icmp.csum", none, "", "ICMP checksum")

	ICMP6Type    = key[uint8]("icmpv6.type", is(element.ICMPTypeIPv6, element.ICMPTypeCodeIPv6), "", "ICMPv6 type")
	ICMP6Code    = key[uint8]("icmpv6.code", is(element.ICMPCodeIPv6, element.ICMPTypeCodeIPv6), "", "ICMPv6 code")
	ICMP6EchoID  = key[uint16]("icmpv6.echoid", none, "", "identifier of an echo message")
	ICMP6EchoSeq = key[uint16]("icmpv6.echoseq", none, "", "sequence number of an echo message")
	ICMP6Csum    = key[uint16]("icmpv6.csum", none, "", "ICMPv6 checksum")

	AHESPSPI = key[uint32]("ahesp.spi", none, "", "security parameters index of AH or ESP")

	ARPHwType       = key[uint16]("arp.hwtype", none, "", "ARP hardware type")
	ARPProtocolType = key[uint16]("arp.protocoltype", none, "", "ARP protocol type")
	ARPOperation    = key[uint16]("arp.operation", none, "", "ARP operation: 1 request, 2 reply")
	ARPShwAddr      = key[engine.Raw]("arp.shwaddr", none, "", "sender hardware address")
	ARPSaddr        = key[engine.Addr]("arp.saddr", none, "", "sender protocol address")
	ARPDhwAddr      = key[engine.Raw]("arp.dhwaddr", none, "", "target hardware address")
	ARPDaddr        = key[engine.Addr]("arp.daddr", none, "", "target protocol address")

	SCTPSport = cim[uint16]("sctp.sport", "src_port", is(element.SourceTransportPort), "", "SCTP source port")
	SCTPDport = cim[uint16]("sctp.dport", "dest_port", is(element.DestinationTransportPort), "", "SCTP destination port")
	SCTPCsum  = key[uint32]("sctp.csum", none, "", "SCTP checksum")
)
