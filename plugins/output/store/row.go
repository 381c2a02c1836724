// Rows: the compact form in which records wait for a store.

package store

import (
	"encoding/binary"
	"net/netip"

	"ulogd/engine"
)

// A Key is a key that rows may have.
type Key struct {
	Name string
	Type engine.Type
}

// A Shape is the keys of all rows of a batch, in the order of their bits.
type Shape struct{ Keys []Key }

// Index returns the place of a key, -1 if rows of this shape never have it.
func (s *Shape) Index(name string) int {
	for i := range s.Keys {
		if s.Keys[i].Name == name {
			return i
		}
	}
	return -1
}

// bitmap returns the octets of a row's bitmap.
func (s *Shape) bitmap() int { return (len(s.Keys) + 7) / 8 }

// A Value is what a row has of one key.
type Value struct {
	Valid bool
	Is6   bool   // an address is of IPv6
	N     uint64 // whole numbers, sign extended; booleans 0 or 1; times in nanoseconds since 1970
	// Bytes are text, raw data, hardware addresses (6 octets), labels (16), and addresses (4 or 16).
	// They are valid as long as the rows.
	Bytes []byte
}

// Addr returns an address.
func (v *Value) Addr() netip.Addr {
	a, _ := netip.AddrFromSlice(v.Bytes)
	return a
}

// Time returns a time.
func (v *Value) Time() engine.Time { return engine.Time(v.N) }

// Rows are rows of one shape, the whole of a batch or a piece of it.
type Rows struct {
	Shape *Shape
	Batch ID  // of the whole batch
	First int // of its rows, the first that is here
	// Stored rows come from the spool: an earlier run may have sent them, in the same pieces or in others.
	Stored bool

	data  []byte // of the whole batch
	ends  []int  // where in data each row ends, of those that are here
	start int    // where in data the first row begins
}

// Len returns how many rows there are.
func (r *Rows) Len() int { return len(r.ends) }

// Octets returns the octets of the rows.
func (r *Rows) Octets() int {
	if len(r.ends) == 0 {
		return 0
	}
	return r.ends[len(r.ends)-1] - r.start
}

// part returns the rows from i up to before j.
func (r *Rows) part(i, j int) Rows {
	p := *r
	p.First, p.ends = r.First+i, r.ends[i:j]
	if i > 0 {
		p.start = r.ends[i-1]
	}
	return p
}

func (r *Rows) row(i int) []byte {
	from := r.start
	if i > 0 {
		from = r.ends[i-1]
	}
	return r.data[from:r.ends[i]]
}

// Read decodes the i-th row into v, which has a place for each key of the shape.
func (r *Rows) Read(i int, v []Value) { r.Shape.read(r.row(i), v) }

// read decodes a row. It reports whether the row is whole: one from the disk may be none.
func (s *Shape) read(p []byte, v []Value) bool {
	n := s.bitmap()
	v = v[:len(s.Keys)]
	if len(p) < n {
		clear(v)
		return false
	}
	bits, p := p[:n], p[n:]
	for i := range v {
		x := &v[i]
		if x.Valid = bits[i/8]>>(i%8)&1 != 0; !x.Valid {
			continue
		}
		width := widths[s.Keys[i].Type]
		if width > len(p) {
			clear(v[i:])
			return false
		}
		switch s.Keys[i].Type {
		case engine.BoolType, engine.Uint8Type:
			x.N = uint64(p[0])
		case engine.Uint16Type:
			x.N = uint64(binary.LittleEndian.Uint16(p))
		case engine.Uint32Type:
			x.N = uint64(binary.LittleEndian.Uint32(p))
		case engine.Uint64Type, engine.TimeType, engine.Int64Type:
			x.N = binary.LittleEndian.Uint64(p)
		case engine.Int8Type:
			x.N = uint64(int8(p[0]))
		case engine.Int16Type:
			x.N = uint64(int16(binary.LittleEndian.Uint16(p)))
		case engine.Int32Type:
			x.N = uint64(int32(binary.LittleEndian.Uint32(p)))
		case engine.AddrType:
			x.Is6 = p[0] == 6
			p, width = p[1:], 4
			if x.Is6 {
				width = 16
			}
		case engine.MACType, engine.LabelType:
		default:
			size, m := binary.Uvarint(p)
			if m <= 0 || size > uint64(len(p)-m) {
				clear(v[i:])
				return false
			}
			p, width = p[m:], int(size)
		}
		if width > len(p) {
			clear(v[i:])
			return false
		}
		x.Bytes, p = p[:width:width], p[width:]
	}
	return len(p) == 0
}

// widths are the octets that a value takes at least.
var widths = [...]int{
	engine.BoolType: 1, engine.Uint8Type: 1, engine.Int8Type: 1, engine.Uint16Type: 2, engine.Int16Type: 2,
	engine.Uint32Type: 4, engine.Int32Type: 4, engine.Uint64Type: 8, engine.Int64Type: 8, engine.TimeType: 8,
	engine.AddrType: 5, engine.MACType: 6, engine.LabelType: 16,
	engine.StringType: 1, engine.RawType: 1, engine.RawTextType: 1,
}
