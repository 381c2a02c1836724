// The link layers that capture files may have in front of their packets.

package packettest

import "encoding/binary"

// The link layer: one type for each kind of header that a capture file may have in front of its
// packets.

// Link types as pcap files number them.
const (
	LinkNull      = 0
	LinkEthernet  = 1
	LinkPPP       = 9
	LinkRaw12     = 12
	LinkRaw14     = 14
	LinkPPPSerial = 50
	LinkPPPoE     = 51
	LinkRaw       = 101
	LinkCiscoHDLC = 104
	LinkDot11     = 105
	LinkLoop      = 108
	LinkSLL       = 113
	LinkPrism     = 119
	LinkRadiotap  = 127
	LinkAVS       = 163
	LinkIPv4      = 228
	LinkIPv6      = 229
	LinkNFLOG     = 239
	LinkSLL2      = 276
)

// MAC is an Ethernet address.
type MAC [6]byte

// Ethernet is an Ethernet II header.
type Ethernet struct {
	Dst, Src MAC
	Type     uint16
}

func (h Ethernet) wrap(payload []byte, _, inner []Layer) []byte {
	b := append(append([]byte(nil), h.Dst[:]...), h.Src[:]...)
	b = be.AppendUint16(b, or(h.Type, etherType(inner)))
	return append(b, payload...)
}

// VLAN is an 802.1Q tag; a TPID of 0x88a8 makes it 802.1ad's outer tag.
type VLAN struct {
	ID   uint16
	Prio uint8
	TPID uint16
	Type uint16
}

func (h VLAN) tpid() uint16 { return or(h.TPID, TypeVLAN) }

func (h VLAN) wrap(payload []byte, _, inner []Layer) []byte {
	b := be.AppendUint16(nil, uint16(h.Prio)<<13|h.ID&0xfff)
	b = be.AppendUint16(b, or(h.Type, etherType(inner)))
	return append(b, payload...)
}

// MPLS is one label stack entry (RFC 3032), the bottom one if no MPLS layer is inside.
type MPLS struct {
	Label uint32
	TTL   uint8
}

func (h MPLS) wrap(payload []byte, _, inner []Layer) []byte {
	e := h.Label<<12 | uint32(or(h.TTL, 64))
	if etherType(inner) != TypeMPLS {
		e |= 1 << 8
	}
	return append(be.AppendUint32(nil, e), payload...)
}

// PPPoE is the session header of RFC 2516 and PPP's protocol.
type PPPoE struct{ Session uint16 }

func (h PPPoE) wrap(payload []byte, _, inner []Layer) []byte {
	b := []byte{0x11, 0}
	b = be.AppendUint16(b, h.Session)
	b = be.AppendUint16(b, uint16(2+len(payload)))
	b = be.AppendUint16(b, pppProtocol(inner))
	return append(b, payload...)
}

// PPP is PPP in HDLC-like framing (RFC 1662). Compressed leaves out what RFC 1661 allows: the
// address, control and high octet of the protocol.
type PPP struct{ Compressed bool }

func (h PPP) wrap(payload []byte, _, inner []Layer) []byte {
	if p := pppProtocol(inner); !h.Compressed {
		return append(be.AppendUint16([]byte{0xff, 3}, p), payload...)
	} else if p < 256 {
		return append([]byte{byte(p)}, payload...)
	} else {
		return append(be.AppendUint16(nil, p), payload...)
	}
}

// pppProtocol is IANA's PPP number of the next layer.
func pppProtocol(inner []Layer) uint16 {
	switch etherType(inner) {
	case TypeIPv4:
		return 0x0021
	case TypeIPv6:
		return 0x0057
	case TypeMPLS:
		return 0x0281
	}
	return 0xc021 // LCP
}

// CiscoHDLC is Cisco's framing of serial lines.
type CiscoHDLC struct{ Type uint16 }

func (h CiscoHDLC) wrap(payload []byte, _, inner []Layer) []byte {
	return append(be.AppendUint16([]byte{0x0f, 0}, or(h.Type, etherType(inner))), payload...)
}

// Null is BSD's loopback header in the order of a host; Loop has it in network order.
type (
	Null struct {
		Family    uint32
		BigEndian bool
	}
	Loop struct{ Family uint32 }
)

func (h Null) wrap(payload []byte, _, inner []Layer) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	if h.BigEndian {
		order = be
	}
	return append(order.AppendUint32(nil, or(h.Family, family(inner))), payload...)
}

func (h Loop) wrap(payload []byte, _, inner []Layer) []byte {
	return append(be.AppendUint32(nil, or(h.Family, family(inner))), payload...)
}

// family is Linux' AF number of the next layer.
func family(inner []Layer) uint32 {
	if etherType(inner) == TypeIPv6 {
		return 10
	}
	return 2
}

// SLL is Linux' cooked header.
type SLL struct {
	PacketType uint16 // 0 to us, 4 from us
	Src        MAC
	Type       uint16
}

func (h SLL) wrap(payload []byte, _, inner []Layer) []byte {
	b := be.AppendUint16(nil, h.PacketType)
	b = append(b, 0, 1, 0, 6)
	b = append(b, h.Src[:]...)
	b = append(b, 0, 0)
	b = be.AppendUint16(b, or(h.Type, etherType(inner)))
	return append(b, payload...)
}

// SLL2 is Linux' second cooked header.
type SLL2 struct {
	Ifindex    uint32
	PacketType uint8
	Src        MAC
	Type       uint16
}

func (h SLL2) wrap(payload []byte, _, inner []Layer) []byte {
	b := be.AppendUint16(nil, or(h.Type, etherType(inner)))
	b = append(b, 0, 0)
	b = be.AppendUint32(b, h.Ifindex)
	b = append(b, 0, 1, h.PacketType, 6)
	b = append(b, h.Src[:]...)
	b = append(b, 0, 0)
	return append(b, payload...)
}

// NFLOG is the header that libpcap writes for netfilter's log: attributes in the order of the
// capturing host.
type NFLOG struct {
	In, Out   uint32 // interface indexes; 0 leaves the attribute out, as everywhere below
	Prefix    string
	Hook      uint8
	Mark      uint32
	UID, GID  uint32
	Seq       uint32
	HWType    uint16
	HWHeader  []byte
	HWAddr    []byte
	BigEndian bool
}

func (h NFLOG) wrap(payload []byte, _, inner []Layer) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	if h.BigEndian {
		order = be
	}
	b := []byte{byte(family(inner)), 0, 0, 5}
	attribute := func(kind uint16, value []byte) {
		b = order.AppendUint16(b, uint16(4+len(value)))
		b = order.AppendUint16(b, kind)
		b = append(b, value...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	attribute(1, append(be.AppendUint16(nil, etherType(inner)), or(h.Hook, 1), 0)) // NFULA_PACKET_HDR
	if h.HWType != 0 {
		attribute(15, be.AppendUint16(nil, h.HWType))                // NFULA_HWTYPE
		attribute(16, h.HWHeader)                                    // NFULA_HWHEADER
		attribute(17, be.AppendUint16(nil, uint16(len(h.HWHeader)))) // NFULA_HWLEN
	}
	if h.HWAddr != nil {
		value := append(be.AppendUint16(nil, uint16(len(h.HWAddr))), 0, 0)
		attribute(8, append(append(value, h.HWAddr...), make([]byte, 8-len(h.HWAddr))...)) // NFULA_HWADDR
	}
	for kind, v := range map[uint16]uint32{2: h.Mark, 11: h.UID, 14: h.GID, 12: h.Seq} {
		if v != 0 {
			attribute(kind, be.AppendUint32(nil, v))
		}
	}
	if h.Prefix != "" {
		attribute(10, append([]byte(h.Prefix), 0)) // NFULA_PREFIX
	}
	if h.In != 0 {
		attribute(4, be.AppendUint32(nil, h.In)) // NFULA_IFINDEX_INDEV
	}
	if h.Out != 0 {
		attribute(5, be.AppendUint32(nil, h.Out)) // NFULA_IFINDEX_OUTDEV
	}
	attribute(9, payload) // NFULA_PAYLOAD
	return b
}

// SNAP is the LLC and SNAP header between 802.11 and IP (RFC 1042).
type SNAP struct{ Type uint16 }

func (h SNAP) wrap(payload []byte, _, inner []Layer) []byte {
	return append(be.AppendUint16([]byte{0xaa, 0xaa, 3, 0, 0, 0}, or(h.Type, etherType(inner))), payload...)
}

// Dot11 is an 802.11 header; the zero value is a data frame inside one cell. A [SNAP] layer follows
// in data frames.
type Dot11 struct {
	Type, Subtype uint8 // 0 is data; 1 management, 2 control
	ToDS, FromDS  bool
	Protected     bool
	HTControl     bool // with QoS only
	QoS           bool
	AMSDU         bool // with QoS only
	Pad           bool // align what follows to four octets, as radiotap's flag tells
	Addr          [4]MAC
}

func (h Dot11) wrap(payload []byte, _, _ []Layer) []byte {
	kind := [3]byte{2, 0, 1}[h.Type]
	subtype := h.Subtype
	if h.QoS {
		subtype |= 8
	}
	var flags byte
	for i, on := range []bool{h.ToDS, h.FromDS, false, false, false, false, h.Protected, h.HTControl} {
		if on {
			flags |= 1 << i
		}
	}
	b := []byte{subtype<<4 | kind<<2, flags, 0, 0}
	for _, a := range h.Addr[:3] {
		b = append(b, a[:]...)
	}
	b = append(b, 0x10, 0)
	if h.ToDS && h.FromDS {
		b = append(b, h.Addr[3][:]...)
	}
	if h.QoS {
		var control byte
		if h.AMSDU {
			control = 0x80
		}
		b = append(b, control, 0)
		if h.HTControl {
			b = append(b, 0, 0, 0, 0)
		}
	}
	for h.Pad && len(b)%4 != 0 {
		b = append(b, 0)
	}
	return append(b, payload...)
}

// Radiotap is the header of radiotap.org with a timestamp and flags.
type Radiotap struct {
	Flags    uint8 // 0x10 FCS at the end, 0x20 data padded
	Extended bool  // with a second word of presence bits
}

func (h Radiotap) wrap(payload []byte, _, _ []Layer) []byte {
	present := []uint32{3} // TSFT, flags
	if h.Extended {
		present = []uint32{1<<31 | 3, 0}
	}
	b := []byte{0, 0, 0, 0}
	for _, p := range present {
		b = binary.LittleEndian.AppendUint32(b, p)
	}
	for len(b)%8 != 0 { // TSFT is aligned to its own size
		b = append(b, 0)
	}
	b = append(b, make([]byte, 8)...)
	b = append(b, h.Flags)
	binary.LittleEndian.PutUint16(b[2:], uint16(len(b)))
	return append(b, payload...)
}

// Prism is the 144-octet header of the Prism driver; AVS is the one that followed it.
type (
	Prism struct{}
	AVS   struct{}
)

func (Prism) wrap(payload []byte, _, _ []Layer) []byte {
	b := make([]byte, 144)
	binary.LittleEndian.PutUint32(b, 0x44)
	binary.LittleEndian.PutUint32(b[4:], 144)
	return append(b, payload...)
}

func (AVS) wrap(payload []byte, _, _ []Layer) []byte {
	b := make([]byte, 64)
	be.PutUint32(b, 0x80211001)
	be.PutUint32(b[4:], 64)
	return append(b, payload...)
}
