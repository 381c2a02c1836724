// Conversions between whole numbers of different types, where a reader wants another than the giver
// has.

package engine

import "fmt"

// conversion brings a key of one whole-number type into another before a plugin that takes it so.
// The value is cut to the narrower type's bits.
type conversion struct{ from, to *column }

func (c *conversion) String() string {
	return fmt.Sprintf("%s: %s of %s becomes %s", c.from.key.Name, c.from.key.Type, c.from.giver, c.to.key.Type)
}

func (c *conversion) run(b *Batch) {
	src, dst := b.cols[c.from.slot], b.cols[c.to.slot]
	for _, r := range b.Rows() {
		storeUint(dst, r, loadUint(src, r))
	}
}

// loadUint reads row r of a whole-number column, sign extended.
func loadUint(col any, r Row) uint64 {
	switch c := col.(type) {
	case *[BatchSize]bool:
		if c[r] {
			return 1
		}
	case *[BatchSize]int8:
		return uint64(c[r])
	case *[BatchSize]int16:
		return uint64(c[r])
	case *[BatchSize]int32:
		return uint64(c[r])
	case *[BatchSize]int64:
		return uint64(c[r])
	case *[BatchSize]uint8:
		return uint64(c[r])
	case *[BatchSize]uint16:
		return uint64(c[r])
	case *[BatchSize]uint32:
		return uint64(c[r])
	case *[BatchSize]uint64:
		return c[r]
	}
	return 0
}

func storeUint(col any, r Row, v uint64) {
	switch c := col.(type) {
	case *[BatchSize]bool:
		c[r] = v != 0
	case *[BatchSize]int8:
		c[r] = int8(v)
	case *[BatchSize]int16:
		c[r] = int16(v)
	case *[BatchSize]int32:
		c[r] = int32(v)
	case *[BatchSize]int64:
		c[r] = int64(v)
	case *[BatchSize]uint8:
		c[r] = uint8(v)
	case *[BatchSize]uint16:
		c[r] = uint16(v)
	case *[BatchSize]uint32:
		c[r] = uint32(v)
	case *[BatchSize]uint64:
		c[r] = v
	}
}
