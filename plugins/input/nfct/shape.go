// Shortcuts for the attributes that every event has. The kernel always writes them in the same
// shape, so that comparing their headers replaces walking them; whatever looks otherwise is walked.

package nfct

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/nlattr"
)

// header is an attribute's length and type as they lie in memory.
func header(valueLen, kind uint16) (h uint32) {
	var b [nlattr.HeaderLen]byte
	binary.NativeEndian.PutUint16(b[:], nlattr.HeaderLen+valueLen)
	binary.NativeEndian.PutUint16(b[2:], kind)
	return binary.NativeEndian.Uint32(b[:])
}

var (
	shapeIP4   = header(16, ctaTupleIP|unix.NLA_F_NESTED)
	shapeSrc4  = header(4, ctaIPv4Src)
	shapeDst4  = header(4, ctaIPv4Dst)
	shapeIP6   = header(40, ctaTupleIP|unix.NLA_F_NESTED)
	shapeSrc6  = header(16, ctaIPv6Src)
	shapeDst6  = header(16, ctaIPv6Dst)
	shapeProto = header(24, ctaTupleProto|unix.NLA_F_NESTED)
	shapeNum   = header(1, ctaProtoNum)
	shapeSport = header(2, ctaProtoSrcPort)
	shapeDport = header(2, ctaProtoDstPort)

	shape64First  = header(8, first64)
	shape64Second = header(8, second64)
)

func headerAt(b []byte, i int) uint32 { return binary.NativeEndian.Uint32(b[i:]) }

// usual reads a tuple of addresses and ports, if b is one in the usual shape.
func (t *tuple) usual(b []byte) bool {
	switch len(b) {
	case 48:
		if headerAt(b, 0) != shapeIP4 || headerAt(b, 4) != shapeSrc4 || headerAt(b, 12) != shapeDst4 || !t.usualPorts(b[20:48]) {
			return false
		}
		t.src, t.dst = engine.AddrFrom4(b[8:]), engine.AddrFrom4(b[16:])
	case 72:
		if headerAt(b, 0) != shapeIP6 || headerAt(b, 4) != shapeSrc6 || headerAt(b, 24) != shapeDst6 || !t.usualPorts(b[44:72]) {
			return false
		}
		t.src, t.dst = engine.AddrFrom16(b[8:]), engine.AddrFrom16(b[28:])
	default:
		return false
	}
	t.has = hasIP | hasProto | hasPorts
	return true
}

func (t *tuple) usualPorts(b []byte) bool {
	_ = b[27]
	if headerAt(b, 0) != shapeProto || headerAt(b, 4) != shapeNum || headerAt(b, 12) != shapeSport || headerAt(b, 20) != shapeDport {
		return false
	}
	t.proto = b[8]
	t.sport, t.dport = binary.BigEndian.Uint16(b[16:]), binary.BigEndian.Uint16(b[24:])
	return true
}

// two64 reads a nest of two 64-bit numbers, as counters and time stamps are, if b is one in the
// usual shape.
func two64(b []byte) (x, y uint64, ok bool) {
	if len(b) != 24 || headerAt(b, 0) != shape64First || headerAt(b, 12) != shape64Second {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[16:]), true
}
