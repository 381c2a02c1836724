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
	switch widths[t] {
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(v.N))
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(v.N))
	case 8:
		return binary.LittleEndian.AppendUint64(dst, v.N)
	}
	switch t {
	case engine.BoolType, engine.Uint8Type, engine.Int8Type:
		return append(dst, byte(v.N))
	case engine.AddrType:
		version := byte(4)
		if v.Is6 {
			version = 6
		}
		return append(append(dst, version), v.Bytes...)
	case engine.MACType, engine.LabelType:
		return append(dst, v.Bytes...)
	}
	return append(binary.AppendUvarint(dst, uint64(len(v.Bytes))), v.Bytes...)
}
