// Walking an IPv4 packet to its transport header (RFC 791).

package base

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// The 16 bits of flags and fragment offset (RFC 791 section 3.1); the offset counts 8 octets.
const (
	moreFragments = 0x2000
	offsetMask    = 0x1fff
)

// ipv4Plain decodes a packet whose header has no options and that carries TCP or UDP, and refuses
// what needs a closer look. The caller has seen that 40 octets are there.
func (s *stage) ipv4Plain(r engine.Row, p []byte) bool {
	p = p[:shortest4]
	total := be.Uint16(p[2:])
	if be.Uint16(p[6:])&(moreFragments|offsetMask) != 0 || total < shortest4 {
		return false
	}
	s.headers.at[r] = place{0, 20}
	s.now.octets[r] = uint32(total)
	s.now.tcpFlags[r] = be.Uint16(p[32:]) & tcpFlagMask // stale for UDP: its presence bit is not set
	t := &s.now.tuple[r]
	t.Src, t.Dst = engine.Addr4(be.Uint32(p[12:])), engine.Addr4(be.Uint32(p[16:]))
	t.Sport, t.Dport = be.Uint16(p[20:]), be.Uint16(p[22:])
	t.Proto, t.TOS, t.Version, t.Frag = p[9], p[1], 4, key.FragWhole
	return true
}

// ipv4 decodes any IPv4 packet at net, as far as it is there.
func (s *stage) ipv4(r engine.Row, packet []byte, net int) (have uint64, inside netHeader) {
	p := packet[net:]
	if len(p) < 20 || p[0]>>4 != 4 {
		return s.cutBits, netHeader{}
	}
	header, total := int(p[0]&15)*4, int(be.Uint16(p[2:]))
	if s.headers.compat && len(p) <= header { // ulogd2 wants more than the header
		have = s.flowBits
	} else {
		have = s.ip.bits | s.ip.protocolBits | s.ip4.bits | s.flowBits
	}
	s.headers.at[r] = place{uint32(net), uint32(net + header)}
	t := &s.now.tuple[r]
	*t = key.Tuple{Src: engine.AddrFrom4(p[12:]), Dst: engine.AddrFrom4(p[16:]), Proto: p[9], TOS: p[1], Version: 4}
	switch {
	case header < 20 || total != 0 && total < header: // lengths that cannot be
		return have&^s.flowBits | s.cutBits, netHeader{}
	case total == 0: // left to segmentation offload
		s.now.octets[r] = s.onWire(r, packet) - uint32(net)
	default:
		s.now.octets[r] = uint32(total)
		p = p[:min(len(p), total)] // what follows pads the frame
	}
	if len(p) < header {
		return have, netHeader{}
	}
	if f := be.Uint16(p[6:]); f&(moreFragments|offsetMask) != 0 {
		s.now.fragID[r] = uint32(be.Uint16(p[4:]))
		have |= s.fragBits
		t.Frag = key.FragFirst
		if f&offsetMask != 0 {
			t.Frag = key.FragLater
			if s.headers.compat { // ulogd2 takes the payload for a transport header, FLOW must not
				var none key.Tuple
				have |= s.transport(r, p[9], p[header:], &none) &^ s.flagBits
			}
			return have, netHeader{}
		}
	}
	have |= s.transport(r, p[9], p[header:], t)
	return have, s.tunnel(t, p[header:], net+header)
}

// onWire returns the packet's length from its first header on, as it was on the wire if the input
// knows that.
func (s *stage) onWire(r engine.Row, packet []byte) uint32 {
	if s.now.have[r]&s.wireLen.Mask() != 0 {
		return max(s.now.wire[r], uint32(len(packet)))
	}
	return uint32(len(packet))
}
