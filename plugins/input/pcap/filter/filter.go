// Package filter compiles expressions in tcpdump's language to programs of tests. It knows packets
// from their network layer on, and no format of files.
//
// Each test of a program loads a number from the packet, compares it and says which test is next,
// so that the program ends at one of two places: the packet is taken or it is not. Like libpcap's
// it does not take a packet that ends before what a test loads.
//
// Packets of files are matched here; for live capture the same program is assembled for the kernel
// (bpf.go).
package filter

import "encoding/binary"

// What follows comes in network order.
var be = binary.BigEndian

// EtherTypes that the engine has no name for (IEEE 802 Numbers).
const etherMPLS = 0x8847

// Program is a compiled expression.
type Program struct {
	steps []step
}

// step is a test at its place in the program.
type step struct {
	test
	held    bool   // the number is still there from the step before
	yes, no uint16 // the next step, or taken or refused
}

// Where a program ends: no program is that long.
const (
	taken   = 0xfffe
	refused = 0xffff
)

// test compares a number of the packet.
type test struct {
	load
	cond  condition
	value uint32
}

type condition uint8

const (
	equal condition = iota
	atLeast
	anyBit
)

// load says where the number is.
type load struct {
	from origin
	off  uint32 // from the beginning of the packet, for port behind the IPv4 header
	ip   uint32 // where the IPv4 header is, for port
	mask uint32 // applied to the number
}

type origin uint8

const (
	fromWord    origin = iota // 4, 2 and 1 octets at off
	fromHalf                  //
	fromByte                  //
	fromPort                  // 2 octets at off behind the IPv4 header at ip
	fromLength                // the length on the wire
	fromType                  // the EtherType, where the packet begins behind it
	fromTagged                // whether the kernel took a VLAN tag off the packet,
	fromTag                   // its content,
	fromTagType               // and its EtherType
)

// Match runs the program over a packet that begins at its network layer.
func (f *Program) Match(packet []byte, etherType uint16, wirelen uint32) bool {
	var a uint32
	for i := uint16(0); ; {
		s := &f.steps[i]
		if !s.held {
			off := uint64(s.off)
			switch s.from {
			case fromPort:
				if int(s.ip) >= len(packet) {
					return false
				}
				off += uint64(s.ip) + uint64(packet[s.ip]&15)*4
				fallthrough
			case fromHalf:
				if off+2 > uint64(len(packet)) {
					return false
				}
				a = uint32(be.Uint16(packet[off:]))
			case fromWord:
				if off+4 > uint64(len(packet)) {
					return false
				}
				a = be.Uint32(packet[off:])
			case fromByte:
				if off >= uint64(len(packet)) {
					return false
				}
				a = uint32(packet[off])
			case fromLength:
				a = wirelen
			case fromType:
				a = uint32(etherType)
			}
			a &= s.mask
		}
		hit := a == s.value
		switch s.cond {
		case atLeast:
			hit = a >= s.value
		case anyBit:
			hit = a&s.value != 0
		}
		i = s.no
		if hit {
			i = s.yes
		}
		if i >= taken {
			return i == taken
		}
	}
}

// Compile compiles an expression for packets of files, as match takes them.
func Compile(expression string) (*Program, error) {
	tree, err := parseFilter(expression, place{etherType: load{from: fromType, mask: ^uint32(0)}})
	if err != nil {
		return nil, err
	}
	return newProgram(expression, tree)
}

// CompileLive compiles an expression for the kernel. Packets begin with their Ethernet header, or
// behind the link header if cooked. The kernel takes the outermost VLAN tag off a packet and keeps
// it aside; the program looks for it there as if it were in its place.
func CompileLive(expression string, cooked bool) (*Program, error) {
	bare := place{etherType: load{from: fromHalf, off: 12, mask: ^uint32(0)}, net: 14}
	if cooked {
		bare = place{etherType: load{from: fromType, mask: ^uint32(0)}}
	}
	tagged := place{etherType: load{from: fromTagType, mask: ^uint32(0)}, aside: &bare}
	plain, err := parseFilter(expression, bare)
	if err != nil {
		return nil, err
	}
	with, err := parseFilter(expression, tagged)
	if err != nil {
		return nil, err
	}
	wasTagged := leaf(test{load: load{from: fromTagged, mask: ^uint32(0)}, value: 1})
	return newProgram(expression, or(and(wasTagged, with), and(not(wasTagged), plain)))
}
