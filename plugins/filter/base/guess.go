// Frames that nothing announces: pseudo-wires of MPLS and L2TP are told by what they look like.

package base

import "ulogd/engine"

// isFrame reports whether p looks like an Ethernet frame that carries IP or ARP: a type that is
// known, and behind it what the type says.
func isFrame(p []byte) bool {
	const addresses = 12
	if len(p) < addresses {
		return false
	}
	for rest := p[addresses:]; len(rest) >= 2; {
		t := be.Uint16(rest)
		rest = rest[2:]
		switch t {
		case engine.EtherIPv4:
			return isIPv4(rest)
		case engine.EtherIPv6:
			return isIPv6(rest)
		case engine.EtherARP: // of Ethernet, for IP
			return len(rest) >= 4 && be.Uint32(rest) == 1<<16|engine.EtherIPv4
		case etherVLAN, etherQinQ:
			rest = rest[min(2, len(rest)):]
		case etherMPLS:
			return len(rest) > 4
		case etherPPPoE: // version and type 1, a session's packet
			return len(rest) > 6 && rest[0] == 0x11 && rest[1] == 0
		default:
			return false
		}
	}
	return false
}

// isIPv4 reports whether p begins with a header that is one by all that can be checked. A checksum
// of 0 was left to the hardware.
func isIPv4(p []byte) bool {
	if len(p) < 20 || p[0]>>4 != 4 {
		return false
	}
	header, total := int(p[0]&15)*4, int(be.Uint16(p[2:]))
	if header < 20 || header > len(p) || total != 0 && total < header {
		return false
	}
	if be.Uint16(p[10:]) == 0 {
		return true
	}
	sum := uint32(0)
	for i := 0; i < header; i += 2 {
		sum += uint32(be.Uint16(p[i:]))
	}
	sum = sum>>16 + sum&0xffff
	return sum>>16+sum&0xffff == 0xffff
}

// isIPv6 does so for version 6, which has less to check.
func isIPv6(p []byte) bool { return len(p) >= 40 && p[0]>>4 == 6 }

// pseudowire tells where behind MPLS labels a frame begins (RFC 4448): behind a control word, which
// begins with four bits of 0, or at once. A frame's first octet may be anything, so that IP's
// version in it, or the zeros of a control word, are believed only where no frame is there.
func pseudowire(p []byte) (offset int, ok bool) {
	const controlWord = 4
	switch {
	case p[0]>>4 == 0 && len(p) > controlWord && isFrame(p[controlWord:]):
		return controlWord, true
	case !isFrame(p):
		return 0, false
	case p[0]>>4 == 4:
		return 0, !isIPv4(p)
	case p[0]>>4 == 6: // what IP tells of its length, the frame's first address would tell
		return 0, len(p) < 40 || int(be.Uint16(p[4:]))+40 != len(p)
	}
	return 0, true
}
