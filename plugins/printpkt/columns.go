// The keys that the line is made of.

package printpkt

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

type columns struct {
	family       engine.Col[uint8]
	protocol     engine.Col[uint16]
	prefix       engine.Col[engine.String]
	in, out      engine.Col[engine.String]
	ifIn         engine.Col[uint32]
	mac          engine.Col[engine.Raw]
	uid, gid     engine.Col[uint32]
	mark         engine.Col[uint32]
	saddr, daddr engine.Col[engine.String]
	ipProto      engine.Col[uint8]

	totLen, id, fragOff engine.Col[uint16]
	tos, ttl            engine.Col[uint8]

	payloadLen, fragOff6        engine.Col[uint16]
	priority, hopLimit, nextHdr engine.Col[uint8]
	flowLabel, fragID           engine.Col[uint32]

	tcpSport, tcpDport, tcpWindow, tcpURGP engine.Col[uint16]
	tcpSeq, tcpAckSeq                      engine.Col[uint32]
	flags                                  [6]flag

	udpSport, udpDport, udpLen engine.Col[uint16]
	sctpSport, sctpDport       engine.Col[uint16]
	spi                        engine.Col[uint32]

	icmpType, icmpCode       engine.Col[uint8]
	echoID, echoSeq, fragMTU engine.Col[uint16]
	gateway                  engine.Col[engine.Addr]
	icmp6Type, icmp6Code     engine.Col[uint8]
	echoID6, echoSeq6        engine.Col[uint16]

	arpOp              engine.Col[uint16]
	arpSHW             engine.Col[engine.Raw]
	arpSaddr, arpDaddr engine.Col[engine.String]
}

// flag is a TCP flag and its word.
type flag struct {
	col  engine.Col[bool]
	name string
}

func (c *columns) bind(p *engine.Binder) {
	c.family = engine.Need(p, key.OOBFamily)
	c.protocol = engine.Want(p, key.OOBProtocol)
	c.prefix = engine.Want(p, key.OOBPrefix)
	c.in, c.out = engine.Want(p, key.OOBIn), engine.Want(p, key.OOBOut)
	c.ifIn = engine.Want(p, key.OOBIfIn)
	c.mac = engine.Want(p, key.RawMAC)
	c.uid, c.gid, c.mark = engine.Want(p, key.OOBUID), engine.Want(p, key.OOBGID), engine.Want(p, key.OOBMark)
	c.saddr, c.daddr = engine.Need(p, key.IPSaddrStr), engine.Need(p, key.IPDaddrStr)
	c.ipProto = engine.Need(p, key.IPProtocol)

	c.totLen, c.id, c.fragOff = engine.Want(p, key.IPTotLen), engine.Want(p, key.IPID), engine.Want(p, key.IPFragOff)
	c.tos, c.ttl = engine.Want(p, key.IPTOS), engine.Want(p, key.IPTTL)

	c.payloadLen, c.fragOff6 = engine.Want(p, key.IP6PayloadLen), engine.Want(p, key.IP6FragOff)
	c.priority, c.hopLimit, c.nextHdr = engine.Want(p, key.IP6Priority), engine.Want(p, key.IP6HopLimit), engine.Want(p, key.IP6NextHdr)
	c.flowLabel, c.fragID = engine.Want(p, key.IP6FlowLabel), engine.Want(p, key.IP6FragID)

	c.tcpSport, c.tcpDport = engine.Want(p, key.TCPSport), engine.Want(p, key.TCPDport)
	c.tcpWindow, c.tcpURGP = engine.Want(p, key.TCPWindow), engine.Want(p, key.TCPURGP)
	c.tcpSeq, c.tcpAckSeq = engine.Want(p, key.TCPSeq), engine.Want(p, key.TCPAckSeq)
	c.flags = [...]flag{
		{engine.Want(p, key.TCPURG), "URG "},
		{engine.Want(p, key.TCPACK), "ACK "},
		{engine.Want(p, key.TCPPSH), "PSH "},
		{engine.Want(p, key.TCPRST), "RST "},
		{engine.Want(p, key.TCPSYN), "SYN "},
		{engine.Want(p, key.TCPFIN), "FIN "},
	}

	c.udpSport, c.udpDport, c.udpLen = engine.Want(p, key.UDPSport), engine.Want(p, key.UDPDport), engine.Want(p, key.UDPLen)
	c.sctpSport, c.sctpDport = engine.Want(p, key.SCTPSport), engine.Want(p, key.SCTPDport)
	c.spi = engine.Want(p, key.AHESPSPI)

	c.icmpType, c.icmpCode = engine.Want(p, key.ICMPType), engine.Want(p, key.ICMPCode)
	c.echoID, c.echoSeq, c.fragMTU = engine.Want(p, key.ICMPEchoID), engine.Want(p, key.ICMPEchoSeq), engine.Want(p, key.ICMPFragMTU)
	c.gateway = engine.Want(p, key.ICMPGateway)
	c.icmp6Type, c.icmp6Code = engine.Want(p, key.ICMP6Type), engine.Want(p, key.ICMP6Code)
	c.echoID6, c.echoSeq6 = engine.Want(p, key.ICMP6EchoID), engine.Want(p, key.ICMP6EchoSeq)

	c.arpOp, c.arpSHW = engine.Want(p, key.ARPOperation), engine.Want(p, key.ARPShwAddr)
	c.arpSaddr, c.arpDaddr = engine.Want(p, key.ARPSaddrStr), engine.Want(p, key.ARPDaddrStr)
}
