// What FLOW takes of transport headers: ports, flags, types of ICMP.

package base

import (
	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
)

// tcpFlagMask leaves the flags of octets 12 and 13 (RFC 9565): the low 12 bits.
const tcpFlagMask = 0xfff

// transport reads what FLOW takes of the transport header h behind an IPv4 header, and returns the
// presence bits of its keys.
func (s *stage) transport(r engine.Row, proto uint8, h []byte, t *key.Tuple) uint64 {
	if proto == ipproto.ICMP {
		return icmpOf(h, t, s.icmp.bits)
	}
	if proto == ipproto.AH && len(h) >= 8 && !s.headers.compat {
		s.now.spi[r] = be.Uint32(h[4:])
		return s.spiBits
	}
	return s.ports(r, proto, h, t)
}

// transport6 is transport behind an IPv6 header.
func (s *stage) transport6(r engine.Row, proto uint8, h []byte, t *key.Tuple) uint64 {
	switch {
	case proto == ipproto.ICMPv6:
		return icmpOf(h, t, s.icmp6.bits)
	case proto == ipproto.SCTP && s.headers.compat:
		return s.ports(r, proto, h, t) &^ s.sctp.bits
	}
	return s.ports(r, proto, h, t)
}

// ports is the part that both versions share.
func (s *stage) ports(r engine.Row, proto uint8, h []byte, t *key.Tuple) (have uint64) {
	switch proto {
	case ipproto.TCP, ipproto.UDP, ipproto.UDPLite, ipproto.SCTP, ipproto.DCCP:
		if len(h) < 4 {
			return 0
		}
		t.Sport, t.Dport = be.Uint16(h), be.Uint16(h[2:])
	}
	switch {
	case proto == ipproto.TCP && len(h) >= 14:
		s.now.tcpFlags[r] = be.Uint16(h[12:]) & tcpFlagMask
		have = s.flagBits
		if len(h) >= 20 {
			have |= s.tcp.bits
		}
	case proto == ipproto.UDP && len(h) >= 8:
		have = s.udp.bits
	case proto == ipproto.SCTP && len(h) >= 12:
		have = s.sctp.bits
	case proto == ipproto.ESP && len(h) >= 4 && !s.headers.compat:
		s.now.spi[r] = be.Uint32(h)
		have = s.spiBits
	}
	return have
}

// icmpOf reads type and code; all of the keys are there if the whole header is.
func icmpOf(h []byte, t *key.Tuple, bits uint64) uint64 {
	if len(h) >= 2 {
		t.Sport, t.Dport = key.ICMPKnown, uint16(h[0])<<8|uint16(h[1])
	}
	if len(h) < 8 {
		return 0
	}
	return bits
}
