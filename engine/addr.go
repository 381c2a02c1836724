// IP addresses as plugins exchange them.

package engine

import (
	"encoding/binary"
	"net/netip"
)

// Addr is an IP address as plugins exchange it: 16 octets in two big-endian halves, an IPv4 address
// mapped into ::ffff:0:0/96. It holds no pointer, so that columns of it cost the garbage collector
// nothing. Whether a record is IPv4 or IPv6 is said by its oob.family key ([Family]), never by the
// look of its addresses.
type Addr struct{ Hi, Lo uint64 }

const mapped4 = 0xffff << 32

// Addr4 makes an Addr of an IPv4 address given as the number its octets spell in network order.
func Addr4(v uint32) Addr { return Addr{0, mapped4 | uint64(v)} }

// AddrFrom4 reads four octets in network order.
func AddrFrom4(b []byte) Addr { return Addr4(binary.BigEndian.Uint32(b)) }

// AddrFrom16 reads sixteen octets in network order.
func AddrFrom16(b []byte) Addr {
	_ = b[15]
	return Addr{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// AddrFrom converts from the standard library's type.
func AddrFrom(a netip.Addr) Addr {
	b := a.As16()
	return AddrFrom16(b[:])
}

// V4 returns the IPv4 address as a number in host order; the high 96 bits are ignored.
func (a Addr) V4() uint32 { return uint32(a.Lo) }

// Put16 writes the address as sixteen octets in network order.
func (a Addr) Put16(b []byte) {
	_ = b[15]
	binary.BigEndian.PutUint64(b, a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
}

// Netip converts to the standard library's type; is6 decides the family.
func (a Addr) Netip(is6 bool) netip.Addr {
	if !is6 {
		return netip.AddrFrom4([4]byte{byte(a.Lo >> 24), byte(a.Lo >> 16), byte(a.Lo >> 8), byte(a.Lo)})
	}
	var b [16]byte
	a.Put16(b[:])
	return netip.AddrFrom16(b)
}

// AppendText appends the address in inet_ntop(3) form.
func (a Addr) AppendText(dst []byte, is6 bool) []byte {
	if is6 {
		// IPv4-compatible (RFC 4291 section 2.5.5.1): inet_ntop's form, not netip's.
		if a.Hi == 0 && a.Lo>>32 == 0 && a.Lo>>16 != 0 {
			return a.AppendText(append(dst, "::"...), false)
		}
		return a.Netip(true).AppendTo(dst)
	}
	dst = appendOctet(dst, byte(a.Lo>>24))
	dst = appendOctet(append(dst, '.'), byte(a.Lo>>16))
	dst = appendOctet(append(dst, '.'), byte(a.Lo>>8))
	return appendOctet(append(dst, '.'), byte(a.Lo))
}

func appendOctet(dst []byte, v byte) []byte {
	if v >= 100 {
		dst = append(dst, '0'+v/100)
	}
	if v >= 10 {
		dst = append(dst, '0'+v/10%10)
	}
	return append(dst, '0'+v%10)
}
