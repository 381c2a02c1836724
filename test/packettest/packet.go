// Package packettest makes packets and capture files for tests and benchmarks: single packets from
// a stack of layers, capture files in every form that capture programs write, and a long trace of
// traffic as a network carries it. Everything is deterministic.
package packettest

import (
	"encoding/binary"
	"net/netip"
)

// A Layer is one header of a packet, such as [Ethernet], [IPv4] or [UDP], or its [Raw] payload. The
// zero value of each is a valid header; type fields left zero follow from the layer inside.
type Layer interface {
	// wrap returns the header followed by payload, which the inner layers have made.
	wrap(payload []byte, outer, inner []Layer) []byte
}

// Build makes a packet of layers, the outermost first: Build(Ethernet{}, VLAN{ID: 5}, IPv4{},
// UDP{Dst: 53}, Raw("?")).
func Build(layers ...Layer) []byte {
	var b []byte
	for i := len(layers) - 1; i >= 0; i-- {
		b = layers[i].wrap(b, layers[:i], layers[i+1:])
	}
	return b
}

// Raw is a payload of any octets.
type Raw []byte

func (r Raw) wrap(payload []byte, _, _ []Layer) []byte {
	return append(append([]byte(nil), r...), payload...)
}

// Zeros is a payload of n octets.
func Zeros(n int) Raw { return make(Raw, n) }

// EtherTypes as IANA's IEEE 802 numbers list them.
const (
	TypeIPv4  = 0x0800
	TypeARP   = 0x0806
	TypeTEB   = 0x6558 // Ethernet in GRE, VXLAN, Geneve
	TypeVLAN  = 0x8100
	TypeIPv6  = 0x86dd
	TypeMPLS  = 0x8847
	TypeQinQ  = 0x88a8
	TypeSlow  = 0x8809
	TypeLLDP  = 0x88cc
	TypePPPoE = 0x8864
)

// etherType tells how a link layer announces the next layer; 0 if there is no number for it.
func etherType(inner []Layer) uint16 {
	if len(inner) == 0 {
		return 0
	}
	switch l := inner[0].(type) {
	case IPv4:
		return TypeIPv4
	case IPv6:
		return TypeIPv6
	case ARP:
		return TypeARP
	case VLAN:
		return l.tpid()
	case MPLS:
		return TypeMPLS
	case Ethernet:
		return TypeTEB
	case PPPoE:
		return TypePPPoE
	}
	return 0
}

// protocol tells how an IP header announces the next layer: IANA's protocol number, 59 (no next
// header) for none.
func protocol(inner []Layer) uint8 {
	if len(inner) == 0 {
		return 59
	}
	switch inner[0].(type) {
	case HopByHop:
		return 0
	case ICMP:
		return 1
	case IPv4:
		return 4
	case TCP:
		return 6
	case UDP:
		return 17
	case DCCP:
		return 33
	case IPv6:
		return 41
	case Routing:
		return 43
	case Fragment:
		return 44
	case GRE:
		return 47
	case ESP:
		return 50
	case AH:
		return 51
	case ICMPv6:
		return 58
	case DestinationOptions:
		return 60
	case SCTP:
		return 132
	case UDPLite:
		return 136
	case MPLS:
		return 137
	}
	return 59
}

// address parses a, or returns the default when it is empty.
func address(a, byDefault string) netip.Addr {
	if a == "" {
		a = byDefault
	}
	return netip.MustParseAddr(a)
}

// or returns v, or the default when v is zero.
func or[T uint8 | uint16 | uint32](v, byDefault T) T {
	if v == 0 {
		return byDefault
	}
	return v
}

var be = binary.BigEndian

// sum adds b to an Internet checksum (RFC 1071).
func sum(b []byte, start uint32) uint32 {
	s := uint64(start)
	for ; len(b) >= 2; b = b[2:] {
		s += uint64(be.Uint16(b))
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint32(s)
}

// pseudo starts the checksum of a transport header with the nearest IP header around it.
func pseudo(outer []Layer, proto uint8, length int) uint32 {
	for i := len(outer) - 1; i >= 0; i-- {
		switch ip := outer[i].(type) {
		case IPv4:
			src, dst := ip.addresses()
			return sum(dst.AsSlice(), sum(src.AsSlice(), uint32(proto)+uint32(length)))
		case IPv6:
			src, dst := ip.addresses()
			return sum(dst.AsSlice(), sum(src.AsSlice(), uint32(proto)+uint32(length)))
		}
	}
	return 0
}
