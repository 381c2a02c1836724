// IEEE 802.11, and the headers that drivers put in front of it.

package pcap

import "encoding/binary"

// IEEE 802.11, and the headers that drivers put in front of it.

const (
	toDS, fromDS = 1 << 0, 1 << 1 // second octet of the frame control field
	protectedBit = 1 << 6
	orderBit     = 1 << 7 // in QoS data: an HT control field follows
	qosBit       = 1 << 3 // of the subtype
	noDataBit    = 1 << 2
	amsduBit     = 1 << 7 // of the QoS control field
)

// dot11 reads a data frame at pos up to the EtherType in its SNAP header (RFC 1042), or up to the
// first packet of an aggregate. Encrypted frames, management and control frames carry nothing to
// read. padded says that the header is filled to four octets.
func (h *header) dot11(b []byte, pos int, padded bool) bool {
	if len(b) < pos+2 {
		return false
	}
	kind, subtype, flags := b[pos]>>2&3, b[pos]>>4, b[pos+1]
	if kind != 2 || subtype&noDataBit != 0 || flags&protectedBit != 0 {
		return h.noPacket()
	}
	if len(b) < pos+24 {
		return false
	}
	length := 24
	src, dst := pos+10, pos+4 // inside one cell: receiver, transmitter, cell
	switch flags & (toDS | fromDS) {
	case toDS:
		dst = pos + 16
	case fromDS:
		src = pos + 16
	case toDS | fromDS:
		dst, src = pos+16, pos+24
		length += 6
	}
	aggregate := false
	if subtype&qosBit != 0 {
		if len(b) < pos+length+2 {
			return false
		}
		aggregate = b[pos+length]&amsduBit != 0
		length += 2
		if flags&orderBit != 0 {
			length += 4
		}
	}
	if padded {
		length = (length + 3) &^ 3
	}
	llc := pos + length
	if aggregate {
		h.net, h.aggregate = uint32(llc), true
		return len(b) > llc
	}
	if len(b) < llc+8 {
		return false
	}
	if b[llc] != 0xaa || b[llc+1] != 0xaa || b[llc+2] != 3 {
		return h.noPacket()
	}
	h.src, h.dst = int16(src), int16(dst)
	return h.at(llc+8, be.Uint16(b[llc+6:]))
}

// subframe reads the packet at pos of an aggregate (IEEE 802.11 section 9.3.2.2): destination,
// source, a length, LLC and SNAP, filled to four octets. It returns where the packet ends, and where
// the next one begins, 0 behind the last.
func (h *header) subframe(b []byte, pos int) (end, next int, ok bool) {
	const head, snap, most = 14, 8, 11454 // octets that an aggregate may have
	if len(b) < pos+head || pos > most {
		return len(b), 0, false
	}
	length := int(be.Uint16(b[pos+12:]))
	end = pos + head + length
	if next = pos + (head+length+3)&^3; next+head > len(b) { // what follows is a check sequence, or nothing
		next = 0
	}
	llc := pos + head
	if len(b) < llc+snap {
		return end, 0, false
	}
	if length < snap || b[llc] != 0xaa || b[llc+1] != 0xaa || b[llc+2] != 3 {
		return end, next, h.noPacket()
	}
	h.src, h.dst = int16(pos+6), int16(pos)
	return end, next, h.at(llc+snap, be.Uint16(b[llc+6:]))
}

// radiotap (radiotap.org): a version, a length, words of presence bits, then the fields they
// announce, little-endian and aligned to their size. Of these only the flags matter, behind the
// timestamp, if both are there.
func (h *header) radiotap(b []byte) bool {
	const tsft, flags, more, dataPadded = 1 << 0, 1 << 1, 1 << 31, 0x20
	if len(b) < 8 || b[0] != 0 {
		return false
	}
	length := int(binary.LittleEndian.Uint16(b[2:]))
	if length < 8 || length > min(len(b), 1<<14) {
		return false
	}
	present := binary.LittleEndian.Uint32(b[4:])
	fields := 8
	for word := present; word&more != 0 && fields+4 <= length; fields += 4 {
		word = binary.LittleEndian.Uint32(b[fields:])
	}
	if present&tsft != 0 {
		fields = (fields+7)&^7 + 8
	}
	padded := present&flags != 0 && fields < length && b[fields]&dataPadded != 0
	return h.dot11(b, length, padded)
}

// prism reads the Prism driver's header, whose length of 144 octets is in its second word, or AVS,
// which has a magic number and its length in network order.
func (h *header) prism(b []byte) bool {
	const avs, longest = 0x80211000, 1 << 12
	if len(b) < 8 {
		return false
	}
	length := uint32(144)
	if be.Uint32(b)&^0xfff == avs {
		length = be.Uint32(b[4:])
	}
	if length < 8 || length > longest {
		return false
	}
	return h.dot11(b, int(length), false)
}
