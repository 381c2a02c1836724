// Headers of tunnels in UDP that take more than a line to read.

package base

import "ulogd/engine"

// inGTP reads GTP-U's header (3GPP TS 29.281 section 5.1): version 1, a message of type G-PDU, 8
// octets, and if a flag says so 4 more with the type of the first extension header.
func inGTP(p []byte) netHeader {
	const (
		version, gtp          = 7 << 5, 1 << 4
		extension, more, gPDU = 1 << 2, 7, 255
		first                 = 1<<5 | gtp
	)
	if len(p) < 8 || p[0]&(version|gtp) != first || p[1] != gPDU {
		return netHeader{}
	}
	at := 8
	if p[0]&more != 0 {
		at += 4
		if len(p) < at {
			return netHeader{}
		}
		next := uint8(0)
		if p[0]&extension != 0 {
			next = p[at-1]
		}
		for next != 0 { // each has its length in 4 octets, and ends with the type of the next
			if len(p) <= at || p[at] == 0 {
				return netHeader{}
			}
			if at += int(p[at]) * 4; len(p) < at {
				return netHeader{}
			}
			next = p[at-1]
		}
	}
	if len(p) <= at {
		return netHeader{}
	}
	if t := etherOfVersion(p[at]); t != 0 {
		return inside(t, at)
	}
	if p[at] == 0xff { // a session of PPP
		etherType, skip := inPPP(p[at:])
		return inside(etherType, at+skip)
	}
	if isFrame(p[at:]) { // a session of frames, which nothing announces
		return inside(etherTEB, at)
	}
	return netHeader{}
}

// inL2TP reads the headers of version 2 (RFC 2661 section 3.1) and of version 3 (RFC 3931 section
// 4.1.2.1).
func inL2TP(p []byte) netHeader {
	const control, length, sequence, offset, version = 0x8000, 0x4000, 0x0800, 0x0200, 15
	if len(p) < 6 {
		return netHeader{}
	}
	flags, at := be.Uint16(p), 6
	if flags&control != 0 {
		return netHeader{}
	}
	switch flags & version {
	case 2:
		if flags&length != 0 {
			at += 2
		}
		if flags&sequence != 0 {
			at += 4
		}
		if flags&offset != 0 {
			if len(p) < at+2 {
				return netHeader{}
			}
			at += 2 + int(be.Uint16(p[at:]))
		}
		if len(p) <= at {
			return netHeader{}
		}
		etherType, skip := inPPP(p[at:])
		return inside(etherType, at+skip)
	case 3:
		return l2tpv3(p, 8)
	}
	return netHeader{}
}

// l2tpv3 looks for the frame behind a session's number. Only its two ends know whether a cookie of
// 4 or 8 octets and a sublayer of 4 are in front of it, so it is known by its looks.
func l2tpv3(p []byte, at int) netHeader {
	for range 4 {
		if len(p) <= at {
			break
		}
		if isFrame(p[at:]) {
			return inside(etherTEB, at)
		}
		if p[at] == 0xff && len(p) > at+1 && p[at+1] == 3 {
			if etherType, skip := inPPP(p[at:]); etherType != unknownPPP {
				return inside(etherType, at+skip)
			}
		}
		at += 4
	}
	return netHeader{}
}

// inPPP reads PPP with or without its address and control octets, the protocol being one octet or
// two (RFC 1661 section 6.5). Offset 0 with EtherType 0 says that it is cut.
func inPPP(p []byte) (etherType uint16, offset int) {
	if len(p) >= 2 && p[0] == 0xff && p[1] == 3 {
		p, offset = p[2:], 2
	}
	switch {
	case len(p) > 0 && p[0]&1 != 0:
		return etherOfPPP(uint16(p[0])), offset + 1
	case len(p) > 1:
		return etherOfPPP(be.Uint16(p)), offset + 2
	}
	return 0, 0
}

// inTZSP reads TZSP's header: version 1, a type, what is inside, tags up to the one that ends them.
func inTZSP(p []byte) netHeader {
	const received, toSend, ethernet = 0, 1, 1
	const padding, end = 0, 1
	if len(p) < 4 || p[0] != 1 || p[1] != received && p[1] != toSend || be.Uint16(p[2:]) != ethernet {
		return netHeader{}
	}
	for at := 4; at < len(p); {
		switch p[at] {
		case padding:
			at++
		case end:
			return inside(etherTEB, at+1)
		default:
			if len(p) < at+2 {
				return netHeader{}
			}
			at += 2 + int(p[at+1])
		}
	}
	return netHeader{}
}

// inTeredo reads what may stand in front of a packet of IPv6 (RFC 4380 section 5.1.1):
// authentication, with two values of told lengths, and where the packet came from.
func inTeredo(p []byte) netHeader {
	at := 0
	if len(p) >= 4 && p[0] == 0 && p[1] == 1 {
		at = 4 + int(p[2]) + int(p[3]) + 9
	}
	if len(p) >= at+8 && p[at] == 0 && p[at+1] == 0 {
		at += 8
	}
	if len(p) <= at || p[at]>>4 != 6 {
		return netHeader{}
	}
	return inside(engine.EtherIPv6, at)
}
