// Keys of elements as nft prints them.

package nftables

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"slices"
	"strings"

	"ulogd/engine/ipproto"
)

// Types of keys, by nft's numbers (its datatype.h). The others are told as numbers.
const (
	typeInteger = 4
	typeIPv4    = 7
	typeIPv6    = 8
	typeEther   = 9
	typeProto   = 12
	typeService = 13
	typeICMP    = 14
	typeTCPFlag = 15
	typeMark    = 19
	typeIfindex = 20
	typeRealm   = 22
	typeClassID = 23
	typeUID     = 24
	typeGID     = 25
	typeCTState = 26
	typeCTStat  = 28
	typeICMPv6  = 29
	typeDSCP    = 36
	typeGroup   = 35
	typeIfname  = 41

	typeBits = 6 // of each type in a concatenation
)

// lengths are the octets of types that have always as many.
var lengths = map[uint32]int{
	typeIPv4: 4, typeIPv6: 16, typeEther: 6, typeProto: 1, typeService: 2, typeICMP: 1, typeTCPFlag: 1, typeMark: 4,
	typeIfindex: 4, typeRealm: 4, typeClassID: 4, typeUID: 4, typeGID: 4, typeCTState: 4, typeCTStat: 4, typeICMPv6: 1,
	typeDSCP: 1, typeGroup: 4, typeIfname: 16,
}

// hostTypes have the byte order of the machine, but in intervals of one field, which the kernel compares
// octet by octet.
var hostTypes = []uint32{
	typeMark, typeIfindex, typeRealm, typeClassID, typeUID, typeGID, typeCTState, typeCTStat, typeGroup,
}

// text returns the keys from one to another.
func (s *Set) text(from, to []byte) string {
	if len(from) != len(to) {
		return hex.EncodeToString(from) + "-" + hex.EncodeToString(to)
	}
	types := typesOf(s.key)
	if len(types) < 2 && len(s.fields) < 2 {
		return span(s.key, from, to, (s.host || slices.Contains(hostTypes, s.key)) && !s.intervals())
	}
	var fields []string
	for i := 0; i < max(len(types), len(s.fields)); i++ {
		typ, n := uint32(typeInteger), 0
		if i < len(types) {
			typ = types[i]
			n = lengths[typ]
		}
		if i < len(s.fields) {
			n = s.fields[i]
		}
		if n == 0 {
			n = 4
		}
		if n > len(from) {
			return hex.EncodeToString(from) // not laid out as it says
		}
		fields = append(fields, span(typ, from[:n], to[:n], slices.Contains(hostTypes, typ) && !s.intervals()))
		step := min((n+3)&^3, len(from)) // fields fill registers
		from, to = from[step:], to[step:]
	}
	return strings.Join(fields, " . ")
}

// typesOf takes a concatenation's types apart.
func typesOf(key uint32) (list []uint32) {
	for ; key > 0; key >>= typeBits {
		list = append(list, key&(1<<typeBits-1))
	}
	slices.Reverse(list)
	return list
}

// span returns one field.
func span(typ uint32, from, to []byte, host bool) string {
	if typ == typeIfname {
		return ifname(from, to)
	}
	if host {
		from, to = reversed(from), reversed(to)
	}
	if bytes.Equal(from, to) {
		return single(typ, from)
	}
	if typ == typeIPv4 || typ == typeIPv6 || typ == typeMark { // what nft prints prefixes of
		if n, ok := prefix(from, to); ok {
			return fmt.Sprintf("%s/%d", single(typ, from), n)
		}
	}
	return single(typ, from) + "-" + single(typ, to)
}

// reversed returns a number of the machine's byte order in network order.
func reversed(b []byte) []byte {
	b = slices.Clone(b)
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		slices.Reverse(b)
	}
	return b
}

// prefix returns how many leading bits two keys have in common, where all others are 0 in the one and 1 in the other.
func prefix(from, to []byte) (n int, ok bool) {
	for i := range from {
		common := bits.LeadingZeros8(from[i] ^ to[i])
		n += common
		if common == 8 {
			continue
		}
		rest := byte(0xff) >> common
		if from[i]&rest != 0 || to[i]&rest != rest {
			return 0, false
		}
		for j := i + 1; j < len(from); j++ {
			if from[j] != 0 || to[j] != 0xff {
				return 0, false
			}
		}
		return n, true
	}
	return n, true
}

// ifname returns an interface's name, or what names begin with, and a star.
func ifname(from, to []byte) string {
	name := word(from)
	if bytes.Equal(from, to) {
		return name
	}
	return name + "*"
}

// single returns one value, of network order.
func single(typ uint32, v []byte) string {
	switch typ {
	case typeIPv4, typeIPv6:
		if a, ok := netip.AddrFromSlice(v); ok {
			return a.String()
		}
	case typeEther:
		if len(v) == 6 {
			return net.HardwareAddr(v).String()
		}
	case typeMark:
		return "0x" + hex.EncodeToString(v)
	case typeProto:
		if len(v) == 1 && ipproto.Name(v[0]) != "" {
			return ipproto.Name(v[0])
		}
	case typeDSCP:
		if name := names[typ][number(v)]; name == "" {
			return fmt.Sprintf("0x%02x", number(v))
		}
	}
	if len(v) > 8 {
		return decimal(v)
	}
	if name := names[typ][number(v)]; name != "" {
		return name
	}
	return fmt.Sprint(number(v))
}

// decimal writes a number of more than 64 bits. math/big would be a hundredth of a router's whole program.
func decimal(v []byte) string {
	var digits []byte
	for v = slices.Clone(v); len(v) > 0; v = bytes.TrimLeft(v, "\x00") {
		rest := 0
		for i, octet := range v {
			rest = rest<<8 | int(octet)
			v[i] = byte(rest / 10)
			rest %= 10
		}
		digits = append(digits, '0'+byte(rest))
	}
	slices.Reverse(digits)
	return string(digits)
}

// names are those that nft prints in place of numbers.
var names = map[uint32]map[uint64]string{
	typeICMP: {
		0: "echo-reply", 3: "destination-unreachable", 4: "source-quench", 5: "redirect", 8: "echo-request",
		9: "router-advertisement", 10: "router-solicitation", 11: "time-exceeded", 12: "parameter-problem",
		13: "timestamp-request", 14: "timestamp-reply", 15: "info-request", 16: "info-reply", 17: "address-mask-request",
		18: "address-mask-reply",
	},
	typeICMPv6: {
		1: "destination-unreachable", 2: "packet-too-big", 3: "time-exceeded", 4: "parameter-problem", 128: "echo-request",
		129: "echo-reply", 130: "mld-listener-query", 131: "mld-listener-report", 132: "mld-listener-done",
		133: "nd-router-solicit", 134: "nd-router-advert", 135: "nd-neighbor-solicit", 136: "nd-neighbor-advert",
		137: "nd-redirect", 138: "router-renumbering", 141: "ind-neighbor-solicit", 142: "ind-neighbor-advert",
		143: "mld2-listener-report",
	},
	typeCTState: {1: "invalid", 2: "established", 4: "related", 8: "new", 64: "untracked"},
	typeTCPFlag: {1: "fin", 2: "syn", 4: "rst", 8: "psh", 16: "ack", 32: "urg", 64: "ecn", 128: "cwr"},
	typeDSCP: {
		0: "cs0", 1: "lephb", 8: "cs1", 10: "af11", 12: "af12", 14: "af13", 16: "cs2", 18: "af21", 20: "af22", 22: "af23",
		24: "cs3", 26: "af31", 28: "af32", 30: "af33", 32: "cs4", 34: "af41", 36: "af42", 38: "af43", 40: "cs5", 44: "va",
		46: "ef", 48: "cs6", 56: "cs7",
	},
}
