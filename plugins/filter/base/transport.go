package base

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// IP protocol numbers (IANA).
const (
	protoICMP    = 1
	protoIPIP    = 4
	protoTCP     = 6
	protoUDP     = 17
	protoDCCP    = 33
	protoIPv6    = 41
	protoGRE     = 47
	protoESP     = 50
	protoAH      = 51
	protoICMPv6  = 58
	protoNone    = 59
	protoSCTP    = 132
	protoUDPLite = 136
)

// tcpFlagMask leaves the flags of octets 12 and 13 (RFC 9565): the low 12 bits.
const tcpFlagMask = 0xfff

// transport reads what FLOW takes of the transport header h behind an IPv4 header, and returns the presence bits of its keys.
func (s *stage) transport(r engine.Row, proto uint8, h []byte, t *key.Tuple) uint64 {
	if proto == protoICMP {
		return icmpOf(h, t, s.icmp.bits)
	}
	if proto == protoAH && len(h) >= 8 && !s.headers.compat {
		s.now.spi[r] = be.Uint32(h[4:])
		return s.spiBits
	}
	return s.ports(r, proto, h, t)
}

// transport6 is transport behind an IPv6 header.
func (s *stage) transport6(r engine.Row, proto uint8, h []byte, t *key.Tuple) uint64 {
	switch {
	case proto == protoICMPv6:
		return icmpOf(h, t, s.icmp6.bits)
	case proto == protoSCTP && s.headers.compat:
		return s.ports(r, proto, h, t) &^ s.sctp.bits
	}
	return s.ports(r, proto, h, t)
}

// ports is the part that both versions share.
func (s *stage) ports(r engine.Row, proto uint8, h []byte, t *key.Tuple) (have uint64) {
	switch proto {
	case protoTCP, protoUDP, protoUDPLite, protoSCTP, protoDCCP:
		if len(h) < 4 {
			return 0
		}
		t.Sport, t.Dport = be.Uint16(h), be.Uint16(h[2:])
	}
	switch {
	case proto == protoTCP && len(h) >= 14:
		s.now.tcpFlags[r] = be.Uint16(h[12:]) & tcpFlagMask
		have = s.flagBits
		if len(h) >= 20 {
			have |= s.tcp.bits
		}
	case proto == protoUDP && len(h) >= 8:
		have = s.udp.bits
	case proto == protoSCTP && len(h) >= 12:
		have = s.sctp.bits
	case proto == protoESP && len(h) >= 4 && !s.headers.compat:
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
