// Types of columns, and values in RowBinary: little-endian, texts with their length in front
// (LEB128), an octet in front of what is Nullable that says whether it is NULL.

package clickhouse

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// A kind is how a value is written.
type kind uint8

const (
	number kind = iota // of width octets
	text
	fixed    // of width octets
	ipv4     // a number of 32 bits
	ipv6     // 16 octets
	datetime // seconds since 1970
	ticks    // 64 bits; divisor nanoseconds each
)

// A columnType is the type of a column.
type columnType struct {
	kind     kind
	nullable bool
	width    int
	divisor  int64
}

// maxFixed is the widest FixedString that rows fill: no key has as much, and each row takes all of it.
const maxFixed = 1024

// parseType reads a type as system.columns names it. It reports whether rows can fill it.
func parseType(s string) (t columnType, ok bool) {
	for {
		if in, has := inside(s, "LowCardinality("); has {
			s = in
		} else if in, has := inside(s, "Nullable("); has {
			s, t.nullable = in, true
		} else {
			break
		}
	}
	if in, has := inside(s, "FixedString("); has {
		n, err := strconv.Atoi(in)
		t.kind, t.width = fixed, n
		return t, err == nil && 0 < n && n <= maxFixed
	}
	if in, has := inside(s, "DateTime64("); has {
		digits, _, _ := strings.Cut(in, ",")
		n, err := strconv.Atoi(strings.TrimSpace(digits))
		t.kind, t.divisor = ticks, 1
		for range 9 - n {
			t.divisor *= 10
		}
		return t, err == nil && n >= 0 && n <= 9
	}
	if _, has := inside(s, "DateTime("); has || s == "DateTime" {
		t.kind = datetime
		return t, true
	}
	switch s {
	case "UInt8", "Int8", "Bool":
		t.width = 1
	case "UInt16", "Int16":
		t.width = 2
	case "UInt32", "Int32":
		t.width = 4
	case "UInt64", "Int64":
		t.width = 8
	case "String":
		t.kind = text
	case "IPv4":
		t.kind = ipv4
	case "IPv6":
		t.kind = ipv6
	default:
		return t, false
	}
	return t, true
}

func inside(s, outer string) (string, bool) {
	if in, ok := strings.CutPrefix(s, outer); ok && strings.HasSuffix(in, ")") {
		return in[:len(in)-1], true
	}
	return s, false
}

// fits says whether values of a key's type can stand in the column.
func (t *columnType) fits(of engine.Type) bool {
	switch t.kind {
	case ipv4, ipv6:
		return of == engine.AddrType
	case datetime, ticks:
		return of == engine.TimeType
	case text:
		return true
	case fixed:
		return slices.Contains([]engine.Type{engine.AddrType, engine.MACType, engine.LabelType, engine.RawType}, of)
	}
	return of <= engine.Uint64Type || of == engine.TimeType
}

// append appends a value. One that is nil is NULL, or the type's default.
func (t *columnType) append(dst []byte, v *store.Value, of engine.Type) []byte {
	if v == nil || t.kind == ipv4 && v.Is6 {
		if t.nullable {
			return append(dst, 1)
		}
		v = nil
	} else if t.nullable {
		dst = append(dst, 0)
	}
	switch t.kind {
	case number:
		var n uint64
		if v != nil {
			n = v.N
		}
		for range t.width {
			dst = append(dst, byte(n))
			n >>= 8
		}
		return dst
	case text:
		return appendText(dst, v, of)
	case fixed:
		return t.appendFixed(dst, v, of)
	case ipv4:
		if v == nil {
			return append(dst, 0, 0, 0, 0)
		}
		return binary.LittleEndian.AppendUint32(dst, binary.BigEndian.Uint32(v.Bytes))
	case ipv6:
		return appendAddr(dst, v)
	}
	var at int64
	if v != nil {
		at = int64(v.N)
	}
	if t.kind == datetime {
		return binary.LittleEndian.AppendUint32(dst, uint32(at/1e9))
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(at/t.divisor))
}

func appendText(dst []byte, v *store.Value, of engine.Type) []byte {
	if v == nil {
		return append(dst, 0)
	}
	if of == engine.RawType {
		return append(binary.AppendUvarint(dst, uint64(len(v.Bytes))), v.Bytes...)
	}
	at := len(dst)
	dst = v.AppendText(append(dst, 0), of) // most are short: an octet for the length is enough
	n := len(dst) - at - 1
	if n < 0x80 {
		dst[at] = byte(n)
		return dst
	}
	var length [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(length[:], uint64(n))
	dst[at] = length[0]
	return slices.Insert(dst, at+1, length[1:size]...)
}

func (t *columnType) appendFixed(dst []byte, v *store.Value, of engine.Type) []byte {
	end := len(dst) + t.width
	switch {
	case v == nil:
	case of == engine.AddrType && t.width == 16:
		return appendAddr(dst, v)
	default:
		dst = append(dst, v.Bytes[:min(len(v.Bytes), t.width)]...)
	}
	for len(dst) < end {
		dst = append(dst, 0)
	}
	return dst
}

// appendAddr appends 16 octets; an address of IPv4 is mapped (RFC 4291 section 2.5.5.2).
func appendAddr(dst []byte, v *store.Value) []byte {
	switch {
	case v == nil:
		return append(dst, make([]byte, 16)...)
	case !v.Is6:
		dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)
	}
	return append(dst, v.Bytes...)
}
