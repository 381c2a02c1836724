// Columns of rows that gather, before they are a row group.

package parquet

import (
	"encoding/binary"

	pq "github.com/parquet-go/parquet-go"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// A form is how the values of a column gather and are encoded.
type form uint8

const (
	numbers  form = iota // of 8 and 16 bits: places in a dictionary
	texts                // places in a dictionary
	words                // of 32 bits: differences
	longs                // of 64 bits, and times: differences
	booleans             // bits
	octets               // as they are
)

// A column has the values of one key.
type column struct {
	typ  engine.Type
	form form

	levels []byte // of each row: 1, or 0 where it has no value (definition levels)
	// What the rows have that have a value.
	small []int32 // words, booleans, and places in the dictionary
	wide  []int64 // longs; of octets a span of data
	data  []byte
	dict  dictionary
}

// A span is where octets begin, and where they end, 32 bits each.
func span(from, to int) int64 { return int64(from)<<32 | int64(to) }

func formOf(t engine.Type) form {
	switch t {
	case engine.BoolType:
		return booleans
	case engine.Uint8Type, engine.Int8Type, engine.Uint16Type, engine.Int16Type:
		return numbers
	case engine.Uint32Type, engine.Int32Type:
		return words
	case engine.Uint64Type, engine.Int64Type, engine.TimeType:
		return longs
	case engine.RawType:
		return octets
	}
	return texts
}

// node returns the column's type in the schema.
func node(t engine.Type) pq.Node {
	switch t {
	case engine.BoolType:
		return pq.Optional(pq.Leaf(pq.BooleanType))
	case engine.Uint8Type:
		return pq.Optional(pq.Uint(8))
	case engine.Uint16Type:
		return pq.Optional(pq.Uint(16))
	case engine.Uint32Type:
		return pq.Optional(pq.Uint(32))
	case engine.Uint64Type:
		return pq.Optional(pq.Uint(64))
	case engine.Int8Type:
		return pq.Optional(pq.Int(8))
	case engine.Int16Type:
		return pq.Optional(pq.Int(16))
	case engine.Int32Type:
		return pq.Optional(pq.Int(32))
	case engine.Int64Type:
		return pq.Optional(pq.Int(64))
	case engine.TimeType:
		return pq.Optional(pq.Timestamp(pq.Microsecond))
	case engine.RawType:
		return pq.Optional(pq.Leaf(pq.ByteArrayType))
	}
	return pq.Optional(pq.String())
}

// add appends the value of a row.
func (c *column) add(v *store.Value) {
	if !v.Valid {
		c.levels = append(c.levels, 0)
		return
	}
	c.levels = append(c.levels, 1)
	switch c.form {
	case numbers:
		c.small = append(c.small, c.dict.number(v.N, c.width()))
	case texts:
		c.small = append(c.small, c.text(v))
	case words, booleans:
		c.small = append(c.small, int32(v.N))
	case longs:
		n := int64(v.N)
		if c.typ == engine.TimeType {
			n /= 1000
		}
		c.wide = append(c.wide, n)
	case octets:
		from := len(c.data)
		c.data = append(c.data, v.Bytes...)
		c.wide = append(c.wide, span(from, len(c.data)))
	}
}

// width returns the bits of a column's numbers.
func (c *column) width() int {
	if c.typ == engine.Uint8Type || c.typ == engine.Int8Type {
		return 8
	}
	return 16
}

// text returns the place of a text. What is text already stands for itself, else the octets that it shows.
func (c *column) text(v *store.Value) int32 {
	of := v.Bytes
	if c.typ == engine.StringType || c.typ == engine.RawTextType {
		c.data = v.AppendText(c.data[:0], c.typ)
		of = c.data
	}
	place, isNew := c.dict.find(of)
	if isNew {
		at := len(c.dict.page)
		page := v.AppendText(append(c.dict.page, 0, 0, 0, 0), c.typ)
		binary.LittleEndian.PutUint32(page[at:], uint32(len(page)-at-4))
		c.dict.page = page
	}
	return place
}

// size returns how many octets the column's texts and octets have.
func (c *column) size() int { return max(len(c.data), len(c.dict.page), len(c.dict.long)) }

// sort puts the rows into an order. The room is for as many numbers as there are rows.
func (c *column) sort(order, room []uint32) {
	places := room[:0] // of the rows' values
	n := uint32(0)
	for _, l := range c.levels {
		places = append(places, n)
		n += uint32(l)
	}
	c.small, c.wide = sorted(c.small, c.levels, order, places), sorted(c.wide, c.levels, order, places)
	levels := make([]byte, len(order))
	for i, r := range order {
		levels[i] = c.levels[r]
	}
	c.levels = levels
}

func sorted[T any](values []T, levels []byte, order, places []uint32) []T {
	if len(values) == 0 {
		return values
	}
	out := make([]T, 0, cap(values))
	for _, r := range order {
		if levels[r] != 0 {
			out = append(out, values[places[r]])
		}
	}
	return out
}

func (c *column) reset() {
	c.levels, c.small, c.wide, c.data = c.levels[:0], c.small[:0], c.wide[:0], c.data[:0]
	c.dict.reset()
}
