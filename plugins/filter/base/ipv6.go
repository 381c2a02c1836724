// Walking an IPv6 packet over its extension headers to its transport header (RFC 8200).

package base

import (
	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
)

// ipv6Plain is ipv4Plain for version 6; 60 octets are there.
func (s *stage) ipv6Plain(r engine.Row, p []byte) bool {
	p = p[:shortest6]
	payload := be.Uint16(p[4:])
	if payload < shortest6-40 {
		return false
	}
	s.headers.at[r] = place{0, 40}
	s.now.octets[r] = uint32(payload) + 40
	s.now.tcpFlags[r] = be.Uint16(p[52:]) & tcpFlagMask
	t := &s.now.tuple[r]
	t.Src, t.Dst = engine.AddrFrom16(p[8:]), engine.AddrFrom16(p[24:])
	t.Sport, t.Dport = be.Uint16(p[40:]), be.Uint16(p[42:])
	t.Proto, t.TOS, t.Version, t.Frag = p[6], uint8(be.Uint16(p)>>4), 6, key.FragWhole
	return true
}

// ipv6 decodes any IPv6 packet at net, as far as it is there.
func (s *stage) ipv6(r engine.Row, packet []byte, net int) (have uint64, inside netHeader) {
	p := packet[net:]
	if len(p) < 40 || p[0]>>4 != 6 {
		return s.cutBits, netHeader{}
	}
	have = s.ip.bits | s.ip6.bits | s.flowBits
	t := &s.now.tuple[r]
	*t = key.Tuple{Src: engine.AddrFrom16(p[8:]), Dst: engine.AddrFrom16(p[24:]), TOS: uint8(be.Uint16(p) >> 4), Version: 6}
	switch payload := int(be.Uint16(p[4:])); {
	case payload == 0 && p[6] != ipproto.None: // a jumbogram (RFC 2675), or left to segmentation offload
		s.now.octets[r] = s.onWire(r, packet) - uint32(net)
	default:
		s.now.octets[r] = uint32(payload) + 40
		p = p[:min(len(p), 40+payload)]
	}
	c := s.extensions(r, p, t)
	have |= c.have
	s.headers.at[r] = place{uint32(net), uint32(net + c.l4)}
	t.Proto = c.proto
	if !c.transport {
		return have, netHeader{}
	}
	have |= s.transport6(r, c.proto, p[c.l4:], t)
	return have, s.tunnel(t, p[c.l4:], net+c.l4)
}

// IPv6 extension headers that are skipped by their length (RFC 8200 section 4), as ulogd2 does.
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extDestination = 60
)

// chain is where a chain of extension headers ends.
type chain struct {
	have      uint64
	l4        int   // behind the last header that could be read
	proto     uint8 // type of what is there
	transport bool  // it is there, and at its beginning
}

// extensions follows the chain to the transport header, to a later fragment's data, or to where the
// packet ends. Each header is at least 8 octets long, so that the packet's length bounds the steps.
func (s *stage) extensions(r engine.Row, p []byte, t *key.Tuple) chain {
	c := chain{l4: 40, proto: p[6]}
	for {
		rest := p[c.l4:]
		var length int
		switch c.proto {
		case extHopByHop, extRouting, extDestination, ipproto.AH, extFragment:
			if len(rest) < 8 {
				return c
			}
			length = int(rest[1])*8 + 8
		case ipproto.ESP:
			if s.headers.compat { // ulogd2 takes it for an extension header, and the last one that it can read
				if len(rest) >= 2 && int(rest[1])*8+8 <= len(rest) {
					c.have |= s.ip6.nextBits
				}
				return c
			}
			fallthrough
		default:
			c.have |= s.ip6.nextBits | s.ip.protocolBits
			c.transport = true
			return c
		}
		switch c.proto {
		case extFragment:
			length = 8
			offset := be.Uint16(rest[2:])
			s.now.fragOff6[r], s.now.fragID6[r] = offset&^7, be.Uint32(rest[4:])
			c.have |= s.frag6Bits
			if offset&^6 == 0 {
				break // an atomic fragment (RFC 6946) is a whole packet
			}
			s.now.fragID[r] = be.Uint32(rest[4:])
			c.have |= s.fragBits
			t.Frag = key.FragFirst
			if offset&^7 != 0 {
				t.Frag = key.FragLater
				c.proto, c.l4 = rest[0], c.l4+8
				c.have |= s.ip6.nextBits
				return c
			}
		case ipproto.AH:
			length = int(rest[1])*4 + 8 // RFC 4302 counts 4 octets
			if !s.headers.compat {
				s.now.spi[r] = be.Uint32(rest[4:])
				c.have |= s.spiBits
			}
		}
		if length > len(rest) {
			return c
		}
		c.proto, c.l4 = rest[0], c.l4+length
	}
}
