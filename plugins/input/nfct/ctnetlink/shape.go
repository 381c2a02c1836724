// Shortcuts for the attributes that every event has. The kernel always writes them in the same
// shape, so that comparing their headers replaces walking them; whatever looks otherwise is walked.

package ctnetlink

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
	shapeIP4   = header(16, CTATupleIP|unix.NLA_F_NESTED)
	shapeSrc4  = header(4, CTAIPv4Src)
	shapeDst4  = header(4, CTAIPv4Dst)
	shapeIP6   = header(40, CTATupleIP|unix.NLA_F_NESTED)
	shapeSrc6  = header(16, CTAIPv6Src)
	shapeDst6  = header(16, CTAIPv6Dst)
	shapeProto = header(24, CTATupleProto|unix.NLA_F_NESTED)
	shapeNum   = header(1, CTAProtoNum)
	shapeSport = header(2, CTAProtoSrcPort)
	shapeDport = header(2, CTAProtoDstPort)

	shape64First  = header(8, First64)
	shape64Second = header(8, Second64)
)

func headerAt(b []byte, i int) uint32 { return binary.NativeEndian.Uint32(b[i:]) }

// usual reads a tuple of addresses and ports, if b is one in the usual shape.
func (t *Tuple) usual(b []byte) bool {
	switch len(b) {
	case 48:
		if headerAt(b, 0) != shapeIP4 || headerAt(b, 4) != shapeSrc4 || headerAt(b, 12) != shapeDst4 ||
			!t.usualPorts(b[20:48]) {
			return false
		}
		t.Src, t.Dst = engine.AddrFrom4(b[8:]), engine.AddrFrom4(b[16:])
	case 72:
		if headerAt(b, 0) != shapeIP6 || headerAt(b, 4) != shapeSrc6 || headerAt(b, 24) != shapeDst6 ||
			!t.usualPorts(b[44:72]) {
			return false
		}
		t.Src, t.Dst = engine.AddrFrom16(b[8:]), engine.AddrFrom16(b[28:])
	default:
		return false
	}
	t.Has = HasIP | HasProto | HasPorts
	return true
}

func (t *Tuple) usualPorts(b []byte) bool {
	_ = b[27]
	if headerAt(b, 0) != shapeProto || headerAt(b, 4) != shapeNum || headerAt(b, 12) != shapeSport ||
		headerAt(b, 20) != shapeDport {
		return false
	}
	t.Proto = b[8]
	t.Sport, t.Dport = binary.BigEndian.Uint16(b[16:]), binary.BigEndian.Uint16(b[24:])
	return true
}
