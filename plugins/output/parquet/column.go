// Columns of rows that gather, before they are a row group.

package parquet

import (
	"encoding/binary"
	"math/bits"

	pq "github.com/parquet-go/parquet-go"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// A column has the values of one key.
type column struct {
	typ   engine.Type
	index int // in the file

	valid []bool
	n     []uint64 // numbers; of texts and octets a span of data
	data  []byte
	known *[cached]entry // texts that were written lately
}

// A span is where in data a text begins, and where it ends, 32 bits each.
func span(from, to int) uint64 { return uint64(from)<<32 | uint64(to) }

// An entry is a text that is in data already, and what it shows.
type entry struct {
	span uint64
	of   [16]byte
	size uint8 // of what it shows, plus one; 0: there is none
}

// cached is how many texts a column finds again: most addresses that come are among the last few
// thousand. It is a power of two.
const cached = 1 << 12

// node returns the column's type in the schema.
func node(t engine.Type) pq.Node {
	switch t {
	case engine.BoolType:
		return pq.Optional(pq.Leaf(pq.BooleanType))
	case engine.Uint8Type:
		return dictionary(pq.Uint(8))
	case engine.Uint16Type:
		return dictionary(pq.Uint(16))
	case engine.Uint32Type:
		return delta(pq.Uint(32))
	case engine.Uint64Type:
		return delta(pq.Uint(64))
	case engine.Int8Type:
		return dictionary(pq.Int(8))
	case engine.Int16Type:
		return dictionary(pq.Int(16))
	case engine.Int32Type:
		return delta(pq.Int(32))
	case engine.Int64Type:
		return delta(pq.Int(64))
	case engine.TimeType:
		return delta(pq.Timestamp(pq.Microsecond))
	case engine.RawType:
		return pq.Optional(pq.Leaf(pq.ByteArrayType))
	}
	return dictionary(pq.String())
}

func dictionary(n pq.Node) pq.Node { return pq.Optional(pq.Encoded(n, &pq.RLEDictionary)) }
func delta(n pq.Node) pq.Node      { return pq.Optional(pq.Encoded(n, &pq.DeltaBinaryPacked)) }

// add appends the value of a row.
func (c *column) add(v *store.Value) {
	c.valid = append(c.valid, v.Valid)
	if !v.Valid {
		c.n = append(c.n, 0)
		return
	}
	switch c.typ {
	case engine.TimeType:
		c.n = append(c.n, uint64(int64(v.N)/1000))
	case engine.AddrType, engine.MACType, engine.LabelType, engine.StringType, engine.RawTextType:
		c.n = append(c.n, c.text(v))
	case engine.RawType:
		from := len(c.data)
		c.data = append(c.data, v.Bytes...)
		c.n = append(c.n, span(from, len(c.data)))
	default:
		c.n = append(c.n, v.N)
	}
}

// text returns where the value's text is, and appends it unless it was written lately.
func (c *column) text(v *store.Value) uint64 {
	var of [16]byte
	if copy(of[:], v.Bytes) < len(v.Bytes) {
		return c.appendText(v)
	}
	lo, hi := binary.LittleEndian.Uint64(of[:]), binary.LittleEndian.Uint64(of[8:])
	high, low := bits.Mul64(lo^0x9e3779b97f4a7c15, hi^0xd6e8feb86659fd93)
	e := &c.known[(high^low)>>40&(cached-1)]
	if size := uint8(len(v.Bytes) + 1); e.size != size || e.of != of {
		*e = entry{span: c.appendText(v), of: of, size: size}
	}
	return e.span
}

func (c *column) appendText(v *store.Value) uint64 {
	from := len(c.data)
	c.data = v.AppendText(c.data, c.typ)
	return span(from, len(c.data))
}

// values sets dst to the values of rows, in the order in which they are named.
func (c *column) values(dst []pq.Value, rows []uint32) {
	for i, r := range rows {
		if !c.valid[r] {
			dst[i] = pq.NullValue().Level(0, 0, c.index)
			continue
		}
		dst[i] = c.value(c.n[r]).Level(0, 1, c.index)
	}
}

func (c *column) value(n uint64) pq.Value {
	switch c.typ {
	case engine.BoolType:
		return pq.BooleanValue(n != 0)
	case engine.Uint8Type, engine.Uint16Type, engine.Uint32Type, engine.Int8Type, engine.Int16Type, engine.Int32Type:
		return pq.Int32Value(int32(n))
	case engine.Uint64Type, engine.Int64Type, engine.TimeType:
		return pq.Int64Value(int64(n))
	}
	return pq.ByteArrayValue(c.data[n>>32 : uint32(n)])
}

func (c *column) reset() {
	c.valid, c.n, c.data = c.valid[:0], c.n[:0], c.data[:0]
	if c.known != nil {
		clear(c.known[:])
	}
}
