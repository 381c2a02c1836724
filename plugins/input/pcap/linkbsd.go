// Headers that captures of BSD, macOS and of drivers put in front of a packet: PPI, PKTAP, PFLOG,
// ENC.

package pcap

import "encoding/binary"

// longestHeader bounds headers that tell their own length.
const longestHeader = 1 << 14

// within reads the header of another link type behind the first n octets. Headers of captures do not
// stand within each other.
func (h *header) within(link uint32, b []byte, n int) bool {
	if n > len(b) {
		return false
	}
	if link == linkPPI || link == linkPKTAP || link > 0xffff || supported(uint16(link)) != nil {
		return h.noPacket()
	}
	if !h.of(uint16(link), b[n:]) {
		return false
	}
	h.net += uint32(n)
	if h.src >= 0 {
		h.src += int16(n)
	}
	if h.dst >= 0 {
		h.dst += int16(n)
	}
	return true
}

// ppi is CACE's per-packet information, little-endian: version 0, flags, the length of all of it,
// the link type of what follows, then fields.
func (h *header) ppi(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	length := int(binary.LittleEndian.Uint16(b[2:]))
	if b[0] != 0 || length < 8 || length > longestHeader {
		return false
	}
	return h.within(binary.LittleEndian.Uint32(b[4:]), b, length)
}

// pktap is Darwin's struct pktap_header (bsd/net/pktap.h) in the order of the host, all of which are
// little-endian today: its length, whether a packet follows, the link type of that.
func (h *header) pktap(b []byte) bool {
	const packet = 1
	if len(b) < 12 {
		return false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint32(b) > longestHeader {
		order = be
	}
	length := order.Uint32(b)
	if length < 12 || length > longestHeader {
		return false
	}
	if order.Uint32(b[4:]) != packet {
		return h.noPacket()
	}
	return h.within(order.Uint32(b[8:]), b, int(length))
}

// pflog is what pf logs (net/if_pflog.h): the length of the header without what fills it to four
// octets, the address family, and what the rule says.
func (h *header) pflog(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	length := (int(b[0]) + 3) &^ 3
	if length < 4 || len(b) < length {
		return false
	}
	return h.ofFamily(uint32(b[1]), length)
}

// enc is OpenBSD's header of packets that IPsec handles (net/if_enc.h): the address family in the
// order of the host, a security parameter index, flags.
func (h *header) enc(b []byte) bool {
	const length = 12
	if len(b) < length {
		return false
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = be.Uint32(b)
	}
	return h.ofFamily(family, length)
}

// ofFamily says that a packet of an address family is at a place.
func (h *header) ofFamily(family uint32, net int) bool {
	switch family {
	case 2: // AF_INET everywhere
		return h.at(net, typeIPv4)
	case 10, 24, 28, 30: // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin
		return h.at(net, typeIPv6)
	}
	return h.noPacket()
}
