// GRE, and what it carries that has a header of its own: ERSPAN, PPTP, WCCP.

package base

// What GRE announces besides EtherTypes.
const (
	greERSPAN  = 0x88be // types I and II
	greERSPAN3 = 0x22eb
	grePPP     = 0x880b
	greWCCP    = 0x883e
)

// gre reads the header of RFC 2784 and 2890, or of PPTP (RFC 2637, version 1): flags say which
// fields follow, 4 octets each. It returns what begins behind it, and where; 0 where that is not
// known.
func gre(h []byte) (etherType uint16, offset int) {
	const (
		checksum, routing, key, sequence = 0x8000, 0x4000, 0x2000, 0x1000
		acknowledgment, version          = 0x0080, 7
	)
	if len(h) < 4 {
		return 0, 0
	}
	flags, protocol, length := be.Uint16(h), be.Uint16(h[2:]), 4
	has := func(bit uint16) {
		if flags&bit != 0 {
			length += 4
		}
	}
	switch flags & version {
	case 0:
		if flags&routing != 0 { // RFC 1701's source routes, of no fixed length
			return 0, 0
		}
		has(checksum)
		has(key)
		has(sequence)
	case 1:
		has(key)
		has(sequence)
		has(acknowledgment)
		if protocol != grePPP || flags&sequence == 0 { // without a number it acknowledges and carries nothing
			return 0, 0
		}
	default:
		return 0, 0
	}
	if len(h) <= length {
		return 0, 0
	}
	rest := h[length:]
	switch protocol {
	case greERSPAN: // draft-foschiano-erspan: type I has neither a sequence number nor a header
		if flags&sequence == 0 {
			return etherTEB, length
		}
		return etherTEB, length + 8
	case greERSPAN3:
		etherType, skip := erspan3(rest)
		return etherType, length + skip
	case grePPP:
		etherType, skip := inPPP(rest)
		return etherType, length + skip
	case greWCCP: // version 2 puts 4 octets in front of the packet, version 1 nothing
		if next := etherOfVersion(rest[0]); next != 0 {
			return next, length
		}
		if len(rest) > 4 {
			return etherOfVersion(rest[4]), length + 4
		}
		return 0, 0
	}
	return protocol, length
}

// erspan3 reads ERSPAN's header of type III: 12 octets, and 8 more if the last bit says so. Bits 1
// to 5 of its sixth word say what frame it is.
func erspan3(h []byte) (etherType uint16, length int) {
	const more, frame, ip = 1, 0, 2
	if len(h) <= 12 {
		return 0, 0
	}
	if length = 12; h[11]&more != 0 {
		length = 20
	}
	switch be.Uint16(h[10:]) >> 10 & 31 {
	case frame:
		return etherTEB, length
	case ip:
		if len(h) > length {
			return etherOfVersion(h[length]), length
		}
	}
	return 0, 0
}
