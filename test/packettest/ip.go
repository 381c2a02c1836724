// The network layer: ARP, IPv4, IPv6 and its extension headers.

package packettest

import "net/netip"

// The network layer: ARP, IPv4, IPv6 and its extension headers.

// ARP is a request (RFC 826), or whatever Op says, for IPv4 over Ethernet.
type ARP struct {
	Op                 uint16 // 1 request (default), 2 reply
	Sender, Target     string
	SenderMAC, AskedAt MAC
}

func (a ARP) wrap(payload []byte, _, _ []Layer) []byte {
	b := []byte{0, 1, 8, 0, 6, 4}
	b = be.AppendUint16(b, or(a.Op, 1))
	b = append(b, a.SenderMAC[:]...)
	b = append(b, address(a.Sender, "192.0.2.1").AsSlice()...)
	b = append(b, a.AskedAt[:]...)
	b = append(b, address(a.Target, "192.0.2.2").AsSlice()...)
	return append(b, payload...)
}

// IPv4 is a header of RFC 791. Offset counts octets.
type IPv4 struct {
	Src, Dst string
	Proto    uint8
	TOS, TTL uint8
	ID       uint16
	Offset   int
	MF, DF   bool
	Options  []byte // a multiple of four octets, at most 40
}

func (h IPv4) addresses() (src, dst netip.Addr) {
	return address(h.Src, "192.0.2.1"), address(h.Dst, "192.0.2.2")
}

func (h IPv4) wrap(payload []byte, _, inner []Layer) []byte {
	length := 20 + len(h.Options)
	b := []byte{0x40 | byte(length/4), h.TOS}
	b = be.AppendUint16(b, uint16(length+len(payload)))
	b = be.AppendUint16(b, h.ID)
	flags := uint16(h.Offset / 8)
	if h.MF {
		flags |= 0x2000
	}
	if h.DF {
		flags |= 0x4000
	}
	b = be.AppendUint16(b, flags)
	b = append(b, or(h.TTL, 64), or(h.Proto, protocol(inner)), 0, 0)
	src, dst := h.addresses()
	b = append(b, src.AsSlice()...)
	b = append(b, dst.AsSlice()...)
	b = append(b, h.Options...)
	be.PutUint16(b[10:], ^uint16(sum(b, 0)))
	return append(b, payload...)
}

// IPv6 is a header of RFC 8200.
type IPv6 struct {
	Src, Dst     string
	Next         uint8
	TrafficClass uint8
	FlowLabel    uint32
	HopLimit     uint8
}

func (h IPv6) addresses() (src, dst netip.Addr) {
	return address(h.Src, "2001:db8::1"), address(h.Dst, "2001:db8::2")
}

func (h IPv6) wrap(payload []byte, _, inner []Layer) []byte {
	b := be.AppendUint32(nil, 6<<28|uint32(h.TrafficClass)<<20|h.FlowLabel&0xfffff)
	b = be.AppendUint16(b, uint16(len(payload)))
	b = append(b, or(h.Next, protocol(inner)), or(h.HopLimit, 64))
	src, dst := h.addresses()
	b = append(b, src.AsSlice()...)
	b = append(b, dst.AsSlice()...)
	return append(b, payload...)
}

// HopByHop, Routing and DestinationOptions are extension headers of 8 octets and 8*Extra more,
// filled with padding.
type (
	HopByHop           struct{ Next, Extra uint8 }
	Routing            struct{ Next, Extra uint8 }
	DestinationOptions struct{ Next, Extra uint8 }
)

func (h HopByHop) wrap(payload []byte, _, inner []Layer) []byte {
	return extension(or(h.Next, protocol(inner)), h.Extra, payload)
}

func (h Routing) wrap(payload []byte, _, inner []Layer) []byte {
	return extension(or(h.Next, protocol(inner)), h.Extra, payload)
}

func (h DestinationOptions) wrap(payload []byte, _, inner []Layer) []byte {
	return extension(or(h.Next, protocol(inner)), h.Extra, payload)
}

func extension(next, extra uint8, payload []byte) []byte {
	b := make([]byte, 8+8*int(extra))
	b[0], b[1] = next, extra
	return append(b, payload...)
}

// Fragment is IPv6's fragment header. Offset counts octets.
type Fragment struct {
	Next   uint8
	Offset int
	MF     bool
	ID     uint32
}

func (h Fragment) wrap(payload []byte, _, inner []Layer) []byte {
	b := []byte{or(h.Next, protocol(inner)), 0}
	flags := uint16(h.Offset) &^ 7
	if h.MF {
		flags |= 1
	}
	b = be.AppendUint16(b, flags)
	b = be.AppendUint32(b, h.ID)
	return append(b, payload...)
}

// AH is an authentication header (RFC 4302) with a 12-octet check value.
type AH struct {
	Next uint8
	SPI  uint32
	Seq  uint32
}

func (h AH) wrap(payload []byte, _, inner []Layer) []byte {
	b := []byte{or(h.Next, protocol(inner)), 4, 0, 0}
	b = be.AppendUint32(b, h.SPI)
	b = be.AppendUint32(b, h.Seq)
	b = append(b, make([]byte, 12)...)
	return append(b, payload...)
}
