// The keys that the line is made of.

package printpkt

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

type columns struct {
	loads []loader

	family       field[uint8]
	protocol     field[uint16]
	prefix       field[engine.String]
	in, out      field[engine.String]
	mac          field[engine.Raw]
	uid, gid     field[uint32]
	mark         field[uint32]
	saddr, daddr field[engine.String]
	ipProto      field[uint8]

	totLen, id, fragOff field[uint16]
	tos, ttl            field[uint8]

	payloadLen, fragOff6        field[uint16]
	priority, hopLimit, nextHdr field[uint8]
	flowLabel, fragID           field[uint32]

	tcpSport, tcpDport, tcpWindow, tcpURGP field[uint16]
	tcpSeq, tcpAckSeq                      field[uint32]
	flags                                  [6]flag

	udpSport, udpDport, udpLen field[uint16]
	sctpSport, sctpDport       field[uint16]
	spi                        field[uint32]

	icmpType, icmpCode       field[uint8]
	echoID, echoSeq, fragMTU field[uint16]
	gateway                  field[engine.Addr]
	icmp6Type, icmp6Code     field[uint8]
	echoID6, echoSeq6        field[uint16]

	arpOp              field[uint16]
	arpSHW             field[engine.Raw]
	arpSaddr, arpDaddr field[engine.String]
}

// flag is a TCP flag and its word.
type flag struct {
	field[bool]
	name string
}

// field is a key: its column, its presence bit and, for the batch at hand, its values.
type field[T any] struct {
	col engine.Col[T]
	bit uint64
	v   *[engine.BatchSize]T
}

type loader interface{ load(b *engine.Batch) }

func (f *field[T]) load(b *engine.Batch) { f.v = f.col.Of(b) }

// load takes the columns of a batch, once for all of its rows.
func (c *columns) load(b *engine.Batch) {
	for _, f := range c.loads {
		f.load(b)
	}
}

func want[T any](c *columns, p *engine.Binder, f *field[T], k engine.Key[T]) {
	f.col = engine.Want(p, k)
	f.bit = f.col.Mask()
	c.loads = append(c.loads, f)
}

// need is want for a key that the stack must have.
func need[T any](c *columns, p *engine.Binder, f *field[T], k engine.Key[T]) {
	engine.Need(p, k)
	want(c, p, f, k)
}

func (c *columns) bind(p *engine.Binder) {
	need(c, p, &c.family, key.OOBFamily)
	want(c, p, &c.protocol, key.OOBProtocol)
	want(c, p, &c.prefix, key.OOBPrefix)
	want(c, p, &c.in, key.OOBIn)
	want(c, p, &c.out, key.OOBOut)
	want(c, p, &c.mac, key.RawMAC)
	want(c, p, &c.uid, key.OOBUID)
	want(c, p, &c.gid, key.OOBGID)
	want(c, p, &c.mark, key.OOBMark)
	need(c, p, &c.saddr, key.IPSaddrStr)
	need(c, p, &c.daddr, key.IPDaddrStr)
	need(c, p, &c.ipProto, key.IPProtocol)
	want(c, p, &c.totLen, key.IPTotLen)
	want(c, p, &c.id, key.IPID)
	want(c, p, &c.fragOff, key.IPFragOff)
	want(c, p, &c.tos, key.IPTOS)
	want(c, p, &c.ttl, key.IPTTL)
	want(c, p, &c.payloadLen, key.IP6PayloadLen)
	want(c, p, &c.fragOff6, key.IP6FragOff)
	want(c, p, &c.priority, key.IP6Priority)
	want(c, p, &c.hopLimit, key.IP6HopLimit)
	want(c, p, &c.nextHdr, key.IP6NextHdr)
	want(c, p, &c.flowLabel, key.IP6FlowLabel)
	want(c, p, &c.fragID, key.IP6FragID)
	want(c, p, &c.tcpSport, key.TCPSport)
	want(c, p, &c.tcpDport, key.TCPDport)
	want(c, p, &c.tcpWindow, key.TCPWindow)
	want(c, p, &c.tcpURGP, key.TCPURGP)
	want(c, p, &c.tcpSeq, key.TCPSeq)
	want(c, p, &c.tcpAckSeq, key.TCPAckSeq)
	for i, f := range []struct {
		key  engine.Key[bool]
		name string
	}{{key.TCPURG, "URG "}, {key.TCPACK, "ACK "}, {key.TCPPSH, "PSH "}, {key.TCPRST, "RST "}, {key.TCPSYN, "SYN "}, {key.TCPFIN, "FIN "}} {
		c.flags[i].name = f.name
		want(c, p, &c.flags[i].field, f.key)
	}
	want(c, p, &c.udpSport, key.UDPSport)
	want(c, p, &c.udpDport, key.UDPDport)
	want(c, p, &c.udpLen, key.UDPLen)
	want(c, p, &c.sctpSport, key.SCTPSport)
	want(c, p, &c.sctpDport, key.SCTPDport)
	want(c, p, &c.spi, key.AHESPSPI)
	want(c, p, &c.icmpType, key.ICMPType)
	want(c, p, &c.icmpCode, key.ICMPCode)
	want(c, p, &c.echoID, key.ICMPEchoID)
	want(c, p, &c.echoSeq, key.ICMPEchoSeq)
	want(c, p, &c.fragMTU, key.ICMPFragMTU)
	want(c, p, &c.gateway, key.ICMPGateway)
	want(c, p, &c.icmp6Type, key.ICMP6Type)
	want(c, p, &c.icmp6Code, key.ICMP6Code)
	want(c, p, &c.echoID6, key.ICMP6EchoID)
	want(c, p, &c.echoSeq6, key.ICMP6EchoSeq)
	want(c, p, &c.arpOp, key.ARPOperation)
	want(c, p, &c.arpSHW, key.ARPShwAddr)
	want(c, p, &c.arpSaddr, key.ARPSaddrStr)
	want(c, p, &c.arpDaddr, key.ARPDaddrStr)
}
