// Fields: keys as outputs without keys of their own see them, by name and of any type.

package engine

import (
	"encoding/hex"
	"strconv"
)

// A Field is a key as outputs without keys of their own see it: any type, read by name. A time key
// makes two, NAME.sec and NAME.usec.
type Field struct {
	Name  string
	Key   *KeyInfo
	Extra bool
	Giver string

	part part
	mask uint64 // presence bit; 0 if nobody gives the key
	c    *column
	fam  Family
}

// part is which piece of a value a field shows.
type part uint8

const (
	whole part = iota
	seconds
	microseconds
	wholeTime
)

func fieldsOf(c *column, fam Family) []Field {
	f := Field{Name: c.key.Name, Key: c.key, Extra: c.extra, Giver: c.giver, mask: c.mask(), c: c, fam: fam}
	if c.key.Type != TimeType {
		return []Field{f}
	}
	s, u := f, f
	s.Name, s.part = f.Name+".sec", seconds
	u.Name, u.part = f.Name+".usec", microseconds
	return []Field{s, u}
}

// Type returns the type of what the field shows: a part of a time is an unsigned int 32.
func (f *Field) Type() Type {
	if f.part == seconds || f.part == microseconds {
		return Uint32Type
	}
	return f.Key.Type
}

// Has reports whether row r has the key.
func (f *Field) Has(b *Batch, r Row) bool { return b.have[r]&f.mask != 0 }

// Mask returns the presence bit that a row must have for the value to be valid; 0 if nobody gives
// the key.
func (f *Field) Mask() uint64 { return f.mask }

// Uint returns the value of a whole-number field, sign extended, or of a time's part.
func (f *Field) Uint(b *Batch, r Row) uint64 {
	col := b.cols[f.c.slot]
	switch f.part {
	case seconds:
		return uint64(col.(*[BatchSize]Time)[r].Sec())
	case microseconds:
		return uint64(col.(*[BatchSize]Time)[r].Usec())
	case wholeTime:
		return uint64(col.(*[BatchSize]Time)[r])
	}
	return loadUint(col, r)
}

// Column returns the values of all rows of a batch, a pointer to an array of the key's type: for loops over rows that
// look at the type once. It is nil for a part of a time.
func (f *Field) Column(b *Batch) any {
	if f.part == seconds || f.part == microseconds {
		return nil
	}
	return b.cols[f.c.slot]
}

// Bytes returns the value of a string or raw field, valid as long as the batch.
func (f *Field) Bytes(b *Batch, r Row) []byte {
	switch c := b.cols[f.c.slot].(type) {
	case *[BatchSize]String:
		return b.Bytes(Span(c[r]))
	case *[BatchSize]Raw:
		return b.Bytes(Span(c[r]))
	case *[BatchSize]RawText:
		return b.Bytes(Span(c[r]))
	case *[BatchSize]MAC:
		return c[r][:]
	case *[BatchSize]Label:
		return c[r][:]
	}
	return nil
}

// Addr returns the value of an address field and whether the row is IPv6.
func (f *Field) Addr(b *Batch, r Row) (a Addr, is6 bool) {
	return b.cols[f.c.slot].(*[BatchSize]Addr)[r], f.fam.Is6(b, r)
}

// AppendText appends the value as readable text: numbers in decimal, addresses as inet_ntop(3)
// writes them, strings as they are, raw data in hexadecimal.
func (f *Field) AppendText(dst []byte, b *Batch, r Row) []byte {
	switch f.Key.Type {
	case AddrType:
		a, is6 := f.Addr(b, r)
		return a.AppendText(dst, is6)
	case StringType, RawTextType:
		return append(dst, f.Bytes(b, r)...)
	case RawType, LabelType:
		return hex.AppendEncode(dst, f.Bytes(b, r))
	case MACType:
		return AppendMAC(dst, f.Bytes(b, r))
	case Int8Type, Int16Type, Int32Type, Int64Type:
		return strconv.AppendInt(dst, int64(f.Uint(b, r)), 10)
	}
	return strconv.AppendUint(dst, f.Uint(b, r), 10)
}

// AppendMAC appends octets as lower-case hexadecimal pairs joined by colons.
func AppendMAC(dst, mac []byte) []byte {
	const digits = "0123456789abcdef"
	for i, c := range mac {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}
