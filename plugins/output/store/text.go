// Values as text, for stores and files that have no type of their own for them.

package store

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"ulogd/engine"
)

// AppendText appends a value of a type as text in UTF-8: numbers in decimal, addresses as
// inet_ntop(3) writes them, raw data in hexadecimal. In texts a run of octets that are not UTF-8 becomes
// U+FFFD.
func (v *Value) AppendText(dst []byte, t engine.Type) []byte {
	switch t {
	case engine.StringType, engine.RawTextType:
		if !utf8.Valid(v.Bytes) {
			return append(dst, bytes.ToValidUTF8(v.Bytes, []byte("\ufffd"))...)
		}
		return append(dst, v.Bytes...)
	case engine.AddrType:
		if v.Is6 {
			return engine.AddrFrom16(v.Bytes).AppendText(dst, true)
		}
		return engine.AddrFrom4(v.Bytes).AppendText(dst, false)
	case engine.MACType:
		return engine.AppendMAC(dst, v.Bytes)
	case engine.RawType, engine.LabelType:
		return hex.AppendEncode(dst, v.Bytes)
	case engine.Int8Type, engine.Int16Type, engine.Int32Type, engine.Int64Type:
		return strconv.AppendInt(dst, int64(v.N), 10)
	}
	return strconv.AppendUint(dst, v.N, 10)
}
