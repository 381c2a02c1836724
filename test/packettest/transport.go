// What IP carries: transport protocols, and tunnels.

package packettest

// What IP carries: transport protocols, and tunnels.

// TCP flags (RFC 9293).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// TCP is a header of RFC 9293.
type TCP struct {
	Src, Dst uint16
	Seq, Ack uint32
	Flags    uint8
	Window   uint16
	Urgent   uint16
	Options  []byte // a multiple of four octets, at most 40
}

func (h TCP) wrap(payload []byte, outer, _ []Layer) []byte {
	b := be.AppendUint16(nil, h.Src)
	b = be.AppendUint16(b, h.Dst)
	b = be.AppendUint32(b, h.Seq)
	b = be.AppendUint32(b, h.Ack)
	b = append(b, byte(5+len(h.Options)/4)<<4, h.Flags)
	b = be.AppendUint16(b, or(h.Window, 65535))
	b = be.AppendUint16(b, 0)
	b = be.AppendUint16(b, h.Urgent)
	b = append(b, h.Options...)
	b = append(b, payload...)
	be.PutUint16(b[16:], ^uint16(sum(b, pseudo(outer, 6, len(b)))))
	return b
}

// UDP is a header of RFC 768. Length is that of the whole datagram when only its first fragment is
// built.
type UDP struct {
	Src, Dst uint16
	Length   uint16
}

func (h UDP) wrap(payload []byte, outer, _ []Layer) []byte {
	return datagram(h.Src, h.Dst, or(h.Length, uint16(8+len(payload))), 17, payload, outer)
}

// UDPLite is a header of RFC 3828 whose checksum covers all.
type UDPLite struct{ Src, Dst uint16 }

func (h UDPLite) wrap(payload []byte, outer, _ []Layer) []byte {
	return datagram(h.Src, h.Dst, 0, 136, payload, outer)
}

func datagram(src, dst, third uint16, proto uint8, payload []byte, outer []Layer) []byte {
	b := be.AppendUint16(nil, src)
	b = be.AppendUint16(b, dst)
	b = be.AppendUint16(b, third)
	b = be.AppendUint16(b, 0)
	b = append(b, payload...)
	be.PutUint16(b[6:], or(^uint16(sum(b, pseudo(outer, proto, len(b)))), 0xffff))
	return b
}

// SCTP is the common header of RFC 9260 and the fixed part of one DATA chunk.
type SCTP struct {
	Src, Dst uint16
	Tag      uint32
}

func (h SCTP) wrap(payload []byte, _, _ []Layer) []byte {
	b := be.AppendUint16(nil, h.Src)
	b = be.AppendUint16(b, h.Dst)
	b = be.AppendUint32(b, h.Tag)
	b = append(b, 0, 0, 0, 0, 0, 3)
	b = be.AppendUint16(b, uint16(16+len(payload)))
	b = append(b, make([]byte, 12)...)
	return append(b, payload...)
}

// DCCP is the generic header of RFC 4340, packet type DATA.
type DCCP struct{ Src, Dst uint16 }

func (h DCCP) wrap(payload []byte, _, _ []Layer) []byte {
	b := be.AppendUint16(nil, h.Src)
	b = be.AppendUint16(b, h.Dst)
	b = append(b, 3, 0, 0, 0, 2<<1, 0, 0, 1)
	return append(b, payload...)
}

// ICMP is the header of RFC 792; Rest is its second word, for an echo identifier and sequence
// number.
type ICMP struct {
	Type, Code uint8
	Rest       uint32
}

func (h ICMP) wrap(payload []byte, _, _ []Layer) []byte {
	b := be.AppendUint32([]byte{h.Type, h.Code, 0, 0}, h.Rest)
	b = append(b, payload...)
	be.PutUint16(b[2:], ^uint16(sum(b, 0)))
	return b
}

// ICMPv6 is the header of RFC 4443.
type ICMPv6 struct {
	Type, Code uint8
	Rest       uint32
}

func (h ICMPv6) wrap(payload []byte, outer, _ []Layer) []byte {
	b := be.AppendUint32([]byte{h.Type, h.Code, 0, 0}, h.Rest)
	b = append(b, payload...)
	be.PutUint16(b[2:], ^uint16(sum(b, pseudo(outer, 58, len(b)))))
	return b
}

// ESP is the header of RFC 4303.
type ESP struct{ SPI, Seq uint32 }

func (h ESP) wrap(payload []byte, _, _ []Layer) []byte {
	b := be.AppendUint32(nil, h.SPI)
	b = be.AppendUint32(b, h.Seq)
	return append(b, payload...)
}

// GRE is the header of RFC 2784, with the optional fields of RFC 2890.
type GRE struct {
	EtherType             uint16
	Checksum, Key, Number bool // which optional fields are there
}

func (h GRE) wrap(payload []byte, _, inner []Layer) []byte {
	var flags uint16
	var options int
	for i, there := range []bool{h.Checksum, false, h.Key, h.Number} {
		if there {
			flags |= 0x8000 >> i
			options += 4
		}
	}
	b := be.AppendUint16(nil, flags)
	b = be.AppendUint16(b, or(h.EtherType, etherType(inner)))
	b = append(b, make([]byte, options)...)
	return append(b, payload...)
}

// VXLAN is the header of RFC 7348; it stands in UDP to port 4789, an Ethernet frame inside.
type VXLAN struct{ VNI uint32 }

func (h VXLAN) wrap(payload []byte, _, _ []Layer) []byte {
	b := be.AppendUint32([]byte{8, 0, 0, 0}, h.VNI<<8)
	return append(b, payload...)
}

// Geneve is the header of RFC 8926; it stands in UDP to port 6081.
type Geneve struct {
	VNI     uint32
	Options []byte // a multiple of four octets, at most 252
}

func (h Geneve) wrap(payload []byte, _, inner []Layer) []byte {
	b := []byte{byte(len(h.Options) / 4), 0}
	b = be.AppendUint16(b, etherType(inner))
	b = be.AppendUint32(b, h.VNI<<8)
	b = append(b, h.Options...)
	return append(b, payload...)
}
