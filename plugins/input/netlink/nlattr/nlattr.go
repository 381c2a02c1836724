// Package nlattr walks netlink messages and their attributes where they lie, without copying and
// without allocating.
//
//	for rest := datagram; len(rest) > 0; {
//		var m nlattr.Message
//		if m, rest = nlattr.NextMessage(rest); m.Type == nlattr.Malformed { ... }
//		for attrs := m.Body[4:]; len(attrs) > 0; {
//			var kind uint16
//			var value []byte
//			if kind, value, attrs = nlattr.Next(attrs); kind == nlattr.Malformed { ... }
//		}
//	}
//
// Headers of messages and attributes are in the byte order of the machine (linux/netlink.h); values
// are what the protocol says, which for netfilter is network order.
package nlattr

import (
	"encoding/binary"
)

// HeaderLen and MessageLen are the octets in front of an attribute's value and of a message's body.
const (
	HeaderLen  = 4
	MessageLen = 16
)

// Malformed is the kind or type returned where a length contradicts the bytes that are there. No
// real attribute has it, for the two flag bits are taken off, and no netfilter message: its
// subsystem would be 255.
const Malformed = 0xffff

// typeMask takes NLA_F_NESTED and NLA_F_NET_BYTEORDER off an attribute's type.
const typeMask = 0x3fff

// Next splits the first attribute off b, which must not be empty. Where b is malformed nothing is
// left.
func Next(b []byte) (kind uint16, value, rest []byte) {
	if len(b) >= HeaderLen {
		if n := int(binary.NativeEndian.Uint16(b)); n >= HeaderLen && n <= len(b) {
			return binary.NativeEndian.Uint16(b[2:]) & typeMask, b[HeaderLen:n], b[min((n+3)&^3, len(b)):]
		}
	}
	return Malformed, nil, nil
}

// A Message is one netlink message.
type Message struct {
	Type, Flags uint16
	Seq, Port   uint32
	Body        []byte
}

// NextMessage splits the first message off b, which must not be empty. Where b is malformed, or cut
// off within the message, the type is Malformed and nothing is left.
func NextMessage(b []byte) (m Message, rest []byte) {
	if len(b) >= MessageLen {
		if n := int(binary.NativeEndian.Uint32(b)); n >= MessageLen && n <= len(b) {
			m = Message{
				Type:  binary.NativeEndian.Uint16(b[4:]),
				Flags: binary.NativeEndian.Uint16(b[6:]),
				Seq:   binary.NativeEndian.Uint32(b[8:]),
				Port:  binary.NativeEndian.Uint32(b[12:]),
				Body:  b[MessageLen:n],
			}
			return m, b[min((n+3)&^3, len(b)):]
		}
	}
	return Message{Type: Malformed}, nil
}
