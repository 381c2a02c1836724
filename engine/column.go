// Columns: a key at its place in the batches of one stack, and the bits that say which rows have
// it.

package engine

import (
	"slices"
	"unsafe"
)

// Poison makes new batches hold garbage where no value was written, so that a plugin that reads a
// key without asking whether the row has it is found out. Tests set it.
var Poison bool

// column is one key at one place of a stack: who gives it, which presence bit it follows, whether
// anybody reads it.
type column struct {
	key    *KeyInfo
	giver  string // instance id and plugin, for explanations
	extra  bool   // ulogd2's plugin of that name lacks the key
	wanted bool
	inner  bool // made by the engine (a conversion): not shown by outputs that take every key
	group  *group
	slot   int  // set when the segment is laid out
	alone  bool // no other column has the slot
	make   func() any
	poison func(col any)
	copy   func(dst *Batch, first int, src *Batch) // the rows of src, to those of dst from first on
}

// mask is the presence bit; 0 if nobody gives the key.
func (c *column) mask() uint64 {
	if c.group == nil {
		return 0
	}
	return 1 << c.group.bit
}

// group is a set of keys that come and go together, and their presence bit.
type group struct {
	bit  int
	seg  *segment
	cols []*column
}

// A Group names keys that come and go together: one presence bit serves them all.
type Group struct{ g *group }

// Mask returns the group's presence bit, to be or-ed into the words of [Batch.Have].
func (g Group) Mask() uint64 {
	if g.g == nil {
		return 0
	}
	return 1 << g.g.bit
}

// Wanted reports whether anybody reads a key of the group; like [Col.Wanted] it is known when the
// instance is opened.
func (g Group) Wanted() bool {
	return g.g != nil && slices.ContainsFunc(g.g.cols, func(c *column) bool { return c.wanted })
}

// Col is a key bound to its place in the batches of one stack. The zero Col is not usable: Need,
// Want and Give make them.
type Col[T any] struct{ c *column }

// Of returns the column's values in b, one per row. Where the key is missing or unwanted this is an
// array that is never read or never written, so that callers need no test.
func (c Col[T]) Of(b *Batch) *[BatchSize]T { return b.cols[c.c.slot].(*[BatchSize]T) }

// Mask returns the presence bit that a row must have for the value to be valid; 0 if nobody gives
// the key.
func (c Col[T]) Mask() uint64 { return c.c.mask() }

// Has reports whether row r of b has the key.
func (c Col[T]) Has(b *Batch, r Row) bool { return b.have[r]&c.Mask() != 0 }

// Wanted reports whether anybody reads the key. It is known once all of the stack is bound: ask
// when opening, or later.
func (c Col[T]) Wanted() bool { return c.c.wanted }

// Key returns what is known of the key.
func (c Col[T]) Key() *KeyInfo { return c.c.key }

// Given reports whether anybody gives the key.
func (c Col[T]) Given() bool { return c.c.group != nil }

// newColumn makes a column. It stands once for each type, and not in each that binds a key: that would be a hundredth of
// a router's whole program.
//
//go:noinline
func newColumn[T any](k *KeyInfo) *column {
	c := &column{key: k, make: func() any { return new([BatchSize]T) }}
	c.poison = func(col any) {
		garbage := unsafe.Slice((*byte)(unsafe.Pointer(col.(*[BatchSize]T))), unsafe.Sizeof([BatchSize]T{}))
		for i := range garbage {
			garbage[i] = 0x5a
		}
	}
	c.copy = func(dst *Batch, first int, src *Batch) {
		to, from := dst.cols[c.slot].(*[BatchSize]T), src.cols[c.slot].(*[BatchSize]T)
		for i, r := range src.Rows() {
			to[Row(first+i)] = from[r]
		}
		switch spans := any(to).(type) { // bytes move too
		case *[BatchSize]String:
			moveText(c, dst, first, src, spans)
		case *[BatchSize]Raw:
			moveText(c, dst, first, src, spans)
		case *[BatchSize]RawText:
			moveText(c, dst, first, src, spans)
		}
	}
	return c
}

// moveText copies the bytes that the spans of a new copy still name in src. Where a row has no
// value the span is of nothing.
func moveText[T ~struct{ Off, Len uint32 }](c *column, dst *Batch, first int, src *Batch, spans *[BatchSize]T) {
	bit := c.mask()
	for i, r := range src.Rows() {
		if to := Row(first + i); src.have[r]&bit != 0 {
			spans[to] = T(dst.AddText(src.Bytes(Span(spans[to]))))
		}
	}
}
