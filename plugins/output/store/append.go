// A row written: the inverse of reading it.

package store

import (
	"encoding/binary"

	"ulogd/engine"
)

// Append appends a row, with a value for each key of the shape.
func (r *Rows) Append(row []Value) {
	at := len(r.data)
	r.data = append(r.data, make([]byte, r.Shape.bitmap())...)
	for i := range row {
		if row[i].Valid {
			r.data[at+i/8] |= 1 << (i % 8)
			r.data = row[i].append(r.data, r.Shape.Keys[i].Type)
		}
	}
	r.ends = append(r.ends, len(r.data))
}

func (v *Value) append(dst []byte, t engine.Type) []byte {
	switch t {
	case engine.AddrType:
		version := byte(4)
		if v.Is6 {
			version = 6
		}
		return append(append(dst, version), v.Bytes...)
	case engine.StringType, engine.RawType, engine.RawTextType, engine.MACType, engine.LabelType:
		return appendOctets(dst, t, v.Bytes)
	default:
		return appendNumber(dst, t, v.N)
	}
}

func appendNumber(dst []byte, t engine.Type, n uint64) []byte {
	switch widths[t] {
	case 1:
		return append(dst, byte(n))
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(n))
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(n))
	default:
		return binary.LittleEndian.AppendUint64(dst, n)
	}
}

// appendOctets appends octets, behind their length where the type does not say it.
func appendOctets(dst []byte, t engine.Type, octets []byte) []byte {
	if t != engine.MACType && t != engine.LabelType {
		dst = binary.AppendUvarint(dst, uint64(len(octets)))
	}
	return append(dst, octets...)
}
