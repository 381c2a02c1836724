// Writing attributes and messages, for requests and for tests.

package nlattr

import "encoding/binary"

// Append appends an attribute, padded to four octets.
func Append(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(HeaderLen+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// Append8 appends an attribute whose value is a number. Append16, Append32 and Append64 do the
// same, in network order.
func Append8(b []byte, kind uint16, v uint8) []byte { return Append(b, kind, []byte{v}) }

// Append16 is described at Append8.
func Append16(b []byte, kind, v uint16) []byte {
	return Append(b, kind, binary.BigEndian.AppendUint16(nil, v))
}

// Append32 is described at Append8.
func Append32(b []byte, kind uint16, v uint32) []byte {
	return Append(b, kind, binary.BigEndian.AppendUint32(nil, v))
}

// Append64 is described at Append8.
func Append64(b []byte, kind uint16, v uint64) []byte {
	return Append(b, kind, binary.BigEndian.AppendUint64(nil, v))
}

// AppendNest appends an attribute that holds the attributes which content appends. All that
// precedes must be padded.
func AppendNest(b []byte, kind uint16, content func([]byte) []byte) []byte {
	const nested = 0x8000 // NLA_F_NESTED
	start := len(b)
	b = content(Append(b, kind|nested, nil))
	binary.NativeEndian.PutUint16(b[start:], uint16(len(b)-start))
	return b
}

// AppendMessage appends a message with the body that content appends.
func AppendMessage(b []byte, typ, flags uint16, seq uint32, content func([]byte) []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, MessageLen)...)
	binary.NativeEndian.PutUint16(b[start+4:], typ)
	binary.NativeEndian.PutUint16(b[start+6:], flags)
	binary.NativeEndian.PutUint32(b[start+8:], seq)
	b = content(b)
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}
