// Headers that captures of BSD, macOS and of drivers put in front of a packet: PPI, PKTAP, PFLOG,
// ENC.

package pcap

import "encoding/binary"

// longestHeader bounds headers that tell their own length.
const longestHeader = 1 << 14

// within reads the header of another link type behind the first n octets. Headers of captures do not
// stand within each other.
func within(link uint32, b []byte, n int) (header, bool) {
	if n > len(b) {
		return header{}, false
	}
	if link == linkPPI || link == linkPKTAP || link > 0xffff || supported(uint16(link)) != nil {
		return noPacket, false
	}
	h, ok := network(uint16(link), b[n:])
	if !ok {
		return h, false
	}
	h.net += uint32(n)
	if h.src >= 0 {
		h.src += int16(n)
	}
	if h.dst >= 0 {
		h.dst += int16(n)
	}
	return h, true
}

// ppi is CACE's per-packet information, little-endian: version 0, flags, the length of all of it,
// the link type of what follows, then fields.
func ppi(b []byte) (header, bool) {
	if len(b) < 8 {
		return header{}, false
	}
	length := int(binary.LittleEndian.Uint16(b[2:]))
	if b[0] != 0 || length < 8 || length > longestHeader {
		return header{}, false
	}
	return within(binary.LittleEndian.Uint32(b[4:]), b, length)
}

// pktap is Darwin's struct pktap_header (bsd/net/pktap.h) in the order of the host, all of which are
// little-endian today: its length, whether a packet follows, the link type of that.
func pktap(b []byte) (header, bool) {
	const packet = 1
	if len(b) < 12 {
		return header{}, false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint32(b) > longestHeader {
		order = be
	}
	length := order.Uint32(b)
	if length < 12 || length > longestHeader {
		return header{}, false
	}
	if order.Uint32(b[4:]) != packet {
		return noPacket, false
	}
	return within(order.Uint32(b[8:]), b, int(length))
}

// pflog is what pf logs (net/if_pflog.h): the length of the header without what fills it to four
// octets, the address family, and what the rule says.
func pflog(b []byte) (header, bool) {
	if len(b) < 2 {
		return header{}, false
	}
	length := (int(b[0]) + 3) &^ 3
	if length < 4 || len(b) < length {
		return header{}, false
	}
	return ofFamily(uint32(b[1]), length)
}

// enc is OpenBSD's header of packets that IPsec handles (net/if_enc.h): the address family in the
// order of the host, a security parameter index, flags.
func enc(b []byte) (header, bool) {
	const length = 12
	if len(b) < length {
		return header{}, false
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = be.Uint32(b)
	}
	return ofFamily(family, length)
}

// ofFamily makes the header of a packet of an address family at a place.
func ofFamily(family uint32, net int) (header, bool) {
	switch family {
	case 2: // AF_INET everywhere
		return at(net, typeIPv4)
	case 10, 24, 28, 30: // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin
		return at(net, typeIPv6)
	}
	return noPacket, false
}
