// Packets of netfilter's log in capture files (LINKTYPE_NFLOG).

package pcap

import "encoding/binary"

// LINKTYPE_NFLOG: what libpcap writes when it captures from netfilter's log. An address family, a
// version, a group number, then attributes of linux/netfilter/nfnetlink_log.h, whose length and
// type are in the order of the capturing host.

const (
	nflogHeader     = 4
	nfulaPacketHdr  = 1 // hw_protocol (be16), hook, padding
	nfulaIndev      = 4 // be32
	nfulaOutdev     = 5
	nfulaPayload    = 9
	familyIPv4      = 2
	familyIPv6      = 10
	attributeHeader = 4
)

func nflog(b []byte) (header, bool) {
	if len(b) < nflogHeader {
		return header{}, false
	}
	h := header{src: -1, dst: -1}
	switch b[0] {
	case familyIPv4:
		h.etherType = typeIPv4
	case familyIPv6:
		h.etherType = typeIPv6
	}
	for pos := nflogHeader; len(b)-pos >= attributeHeader; {
		length, kind := int(binary.LittleEndian.Uint16(b[pos:])), binary.LittleEndian.Uint16(b[pos+2:])
		if kind&0xff == 0 { // types are below 256 and above 0, so this is the other order
			length, kind = int(be.Uint16(b[pos:])), be.Uint16(b[pos+2:])
		}
		if length < attributeHeader {
			break
		}
		value := b[pos+attributeHeader : max(pos+attributeHeader, min(len(b), pos+length))]
		switch {
		case kind == nfulaPacketHdr && len(value) >= 2 && h.etherType == 0:
			h.etherType = be.Uint16(value)
		case kind == nfulaIndev && len(value) == 4:
			h.ifin = be.Uint32(value)
		case kind == nfulaOutdev && len(value) == 4:
			h.ifout = be.Uint32(value)
		case kind == nfulaPayload:
			h.net = uint32(pos + attributeHeader)
			return h, true
		}
		pos += (length + 3) &^ 3
	}
	return header{}, false
}
