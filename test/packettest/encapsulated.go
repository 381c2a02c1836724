// Link layers of serial lines, routers and firewalls, and headers that stand in front of another
// link layer's.

package packettest

import "encoding/binary"

// Their numbers in pcap files.
const (
	LinkFRelay    = 107
	LinkEnc       = 109
	LinkPFLOG     = 117
	LinkPPPD      = 166
	LinkPPI       = 192
	LinkPPPDir    = 204
	LinkCHDLCDir  = 205
	LinkFRelayDir = 206
	LinkPKTAP     = 258
)

// Prefix is octets in front of the layers that follow, such as a direction.
type Prefix []byte

func (h Prefix) wrap(payload []byte, _, _ []Layer) []byte {
	return append(append([]byte(nil), h...), payload...)
}

// FRelay is Frame Relay: an address of two to four octets, then an NLPID (RFC 2427). Cisco makes
// that an EtherType, SNAP an NLPID of SNAP.
type FRelay struct {
	Address     int // octets, 0 is 2
	Cisco, SNAP bool
}

func (h FRelay) wrap(payload []byte, _, inner []Layer) []byte {
	b := []byte{0x18, 0x41}
	switch h.Address {
	case 3:
		b = []byte{0x18, 0x40, 0x05}
	case 4:
		b = []byte{0x18, 0x40, 0x02, 0x05}
	}
	kind := etherType(inner)
	switch {
	case h.Cisco:
		b = be.AppendUint16(b, kind)
	case h.SNAP || kind == TypeMPLS:
		b = be.AppendUint16(append(b, 3, 0, 0x80, 0, 0, 0), kind)
	default:
		b = append(b, 3)
		if h.Address == 3 {
			b = append(b, 0)
		}
		b = append(b, map[uint16]byte{TypeIPv4: 0xcc, TypeIPv6: 0x8e}[kind])
	}
	return append(b, payload...)
}

// PPI is CACE's header in front of another link type's.
type PPI struct{ Link uint32 }

func (h PPI) wrap(payload []byte, _, _ []Layer) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{0, 0}, 8+12)
	b = binary.LittleEndian.AppendUint32(b, h.Link)
	b = append(b, 0xff, 0xff, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0) // a field of a kind that nobody knows
	return append(b, payload...)
}

// PKTAP is Darwin's header in front of another link type's.
type PKTAP struct{ Link uint32 }

func (h PKTAP) wrap(payload []byte, _, _ []Layer) []byte {
	b := make([]byte, 108)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint32(b[4:], 1)
	binary.LittleEndian.PutUint32(b[8:], h.Link)
	copy(b[12:], "en0")
	return append(b, payload...)
}

// PFLOG is what pf logs in front of a packet.
type PFLOG struct{ Family uint8 }

func (h PFLOG) wrap(payload []byte, _, inner []Layer) []byte {
	b := make([]byte, 64)
	b[0], b[1] = 61, or(h.Family, uint8(family(inner)))
	copy(b[4:], "em0")
	return append(b, payload...)
}

// Enc is OpenBSD's header of packets in IPsec.
type Enc struct {
	Family    uint32
	BigEndian bool
}

func (h Enc) wrap(payload []byte, outer, inner []Layer) []byte {
	return append(append(Null(h).wrap(nil, outer, inner), 0, 0, 0x10, 1, 0, 0, 0, 0), payload...)
}

// Juniper is the header of Juniper's routers, with what their cards put behind it.
type Juniper struct {
	Extended bool // with interfaces' numbers
	Cookie   []byte
}

func (h Juniper) wrap(payload []byte, _, _ []Layer) []byte {
	b := []byte{'M', 'G', 'C', 1}
	if h.Extended {
		b[3] |= 0x80
		b = append(b, 0, 6, 1, 4, 0x10, 0, 0, 0)
	}
	return append(append(b, h.Cookie...), payload...)
}
