// IPv4, IPv6 and what they carry.

package printpkt

import (
	"math/bits"
	"strconv"

	"ulogd/engine"
	"ulogd/engine/ipproto"
)

func (l *line) ipv4(t []byte) []byte {
	t = l.addresses(t, &l.saddr, &l.daddr)
	tos, off := get(l, &l.tos), get(l, &l.fragOff)
	t = appendNumber(t, "LEN=", get(l, &l.totLen))
	t = appendHex(append(t, "TOS="...), tos&0x1e)
	t = appendHex(append(t, " PREC=0x"...), tos&0xe0)
	t = appendNumber(t, " TTL=", get(l, &l.ttl))
	t = appendNumber(t, "ID=", get(l, &l.id))
	if off&0x8000 != 0 {
		t = append(t, "CE "...)
	}
	if off&0x4000 != 0 {
		t = append(t, "DF "...)
	}
	if off&0x2000 != 0 {
		t = append(t, "MF "...)
	}
	if off&0x1fff != 0 {
		t = appendNumber(t, "FRAG:", off&0x1fff)
	}
	proto := get(l, &l.ipProto)
	if proto == ipproto.ICMP {
		return l.icmp(t)
	}
	return l.transport(t, proto)
}

func (l *line) ipv6(t []byte) []byte {
	t = l.addresses(t, &l.saddr, &l.daddr)
	t = appendNumber(t, "LEN=", uint32(get(l, &l.payloadLen))+40)
	t = appendNumber(t, "TC=", get(l, &l.priority))
	t = appendNumber(t, "HOPLIMIT=", get(l, &l.hopLimit))
	t = appendNumber(t, "FLOWLBL=", get(l, &l.flowLabel))
	if l.bits&l.fragOff6.bit != 0 {
		t = appendNumber(t, "FRAG: ", l.fragOff6.v[l.r])
		t = append(t, "ID: "...)
		id := get(l, &l.fragID)
		for shift := 28; shift >= 0; shift -= 4 {
			t = append(t, lowerDigits[id>>shift&15])
		}
		t = append(t, ' ')
	}
	next := get(l, &l.nextHdr)
	if next == ipproto.ICMPv6 {
		return l.icmpv6(t)
	}
	return l.transport(t, next)
}

// transport writes the protocol and its ports. INCOMPLETE has no blank after it: ulogd2's bytes.
func (l *line) transport(t []byte, proto uint8) []byte {
	switch proto {
	case ipproto.TCP:
		t = append(t, "PROTO=TCP "...)
		if l.bits&l.tcpSport.bit == 0 {
			return append(t, incomplete...)
		}
		return l.tcp(t)
	case ipproto.UDP:
		t = append(t, "PROTO=UDP "...)
		if l.bits&l.udpSport.bit == 0 {
			return append(t, incomplete...)
		}
		t = l.ports(t, &l.udpSport, &l.udpDport)
		return appendNumber(t, "LEN=", get(l, &l.udpLen))
	case ipproto.SCTP:
		t = append(t, "PROTO=SCTP "...)
		if l.bits&l.sctpSport.bit == 0 {
			return append(t, incomplete...)
		}
		return l.ports(t, &l.sctpSport, &l.sctpDport)
	case ipproto.AH, ipproto.ESP:
		// IPv6's last header may be ESP where the protocol behind the headers is not known; ulogd2
		// then says AH.
		if get(l, &l.ipProto) == ipproto.ESP {
			return l.ipsec(append(t, "PROTO=ESP "...))
		}
		return l.ipsec(append(t, "PROTO=AH "...))
	}
	return appendNumber(t, "PROTO=", proto)
}

const incomplete = "INCOMPLETE"

func (l *line) ports(t []byte, src, dst *field[uint16]) []byte {
	t = appendNumber(t, "SPT=", src.v[l.r])
	return appendNumber(t, "DPT=", dst.v[l.r])
}

func (l *line) tcp(t []byte) []byte {
	t = l.ports(t, &l.tcpSport, &l.tcpDport)
	t = appendNumber(t, "SEQ=", get(l, &l.tcpSeq))
	t = appendNumber(t, "ACK=", get(l, &l.tcpAckSeq))
	t = appendNumber(t, "WINDOW=", get(l, &l.tcpWindow))
	for i := range l.flags {
		f := &l.flags[i]
		if l.bits&f.bit != 0 && f.v[l.r] {
			t = append(t, f.name...)
		}
	}
	return appendNumber(t, "URGP=", get(l, &l.tcpURGP))
}

func (l *line) ipsec(t []byte) []byte {
	if l.bits&l.spi.bit == 0 {
		return append(t, incomplete...)
	}
	return append(strconv.AppendUint(append(t, "SPI=0x"...), uint64(l.spi.v[l.r]), 16), ' ')
}

func (l *line) icmp(t []byte) []byte {
	t = append(t, "PROTO=ICMP "...)
	if l.bits&l.icmpType.bit == 0 {
		return append(t, incomplete...)
	}
	typ, code := l.icmpType.v[l.r], get(l, &l.icmpCode)
	t = appendNumber(t, "TYPE=", typ)
	t = appendNumber(t, "CODE=", code)
	detail := typ
	if l.compat {
		detail = code
	}
	switch detail {
	case 0, 8: // echo reply, echo
		t = appendNumber(t, "ID=", get(l, &l.echoID))
		t = appendNumber(t, "SEQ=", get(l, &l.echoSeq))
	case 3: // destination unreachable
		if !l.compat && l.bits&l.fragMTU.bit != 0 {
			t = appendNumber(t, "MTU=", l.fragMTU.v[l.r])
		}
	case 5: // redirect
		t = append(l.gatewayOr0().AppendText(append(t, "GATEWAY="...), false), ' ')
	case 12: // parameter problem: the pointer is the first octet of the same word
		word := l.gatewayOr0().V4()
		if l.compat {
			word = bits.ReverseBytes32(word) // BASE has turned it around, as ulogd2's does
		}
		t = appendNumber(t, "PARAMETER=", word>>24)
	}
	return t
}

func (l *line) gatewayOr0() engine.Addr {
	if l.bits&l.gateway.bit == 0 {
		return engine.Addr{}
	}
	return l.gateway.v[l.r]
}

func (l *line) icmpv6(t []byte) []byte {
	t = append(t, "PROTO=ICMPv6 "...)
	if l.bits&l.icmp6Type.bit == 0 {
		return append(t, incomplete...)
	}
	typ := l.icmp6Type.v[l.r]
	t = appendNumber(t, "TYPE=", typ)
	t = appendNumber(t, "CODE=", get(l, &l.icmp6Code))
	if typ == 128 || typ == 129 { // echo request, echo reply
		t = appendNumber(t, "ID=", get(l, &l.echoID6))
		t = appendNumber(t, "SEQ=", get(l, &l.echoSeq6))
	}
	return t
}

const (
	upperDigits = "0123456789ABCDEF"
	lowerDigits = "0123456789abcdef"
)

func appendHex(t []byte, v uint8) []byte { return append(t, upperDigits[v>>4], upperDigits[v&15]) }
