// Segments: the layout of the batches in one part of a stack.

package engine

import "time"

// segment is the part of a stack in which records keep their shape: from an input, or from a filter
// that makes new records, to the next such filter or the output. It knows the layout of its
// batches.
type segment struct {
	parent *segment // the input's segment, where several stacks share an input
	cols   []*column
	bits   int       // presence bits used, the parent's included
	slots  []*column // whose make makes the storage
	base   int       // slots that alias the parent's
	laid   bool

	pool    *pool // batches to fill, or to fork into
	views   pool  // row lists over the columns of another batch
	compact pool  // batches with storage of their own for every column
}

func (s *segment) group() *group {
	g := &group{bit: s.bits, seg: s}
	s.bits++
	return g
}

// layout gives every column its slot. Wanted columns get their own; columns that nobody reads share
// one per type, and so do those that nobody gives.
func (s *segment) layout() {
	if s.laid {
		return
	}
	s.laid = true
	if s.parent != nil {
		s.parent.layout()
		s.slots = append(s.slots, s.parent.slots...)
		s.base = len(s.slots)
	}
	shared := map[sharing]int{}
	for _, c := range s.cols {
		if c.wanted && c.group != nil {
			c.slot, c.alone = s.add(c), true
			continue
		}
		k := sharing{typ: c.key.Type, missing: c.group == nil}
		if k.typ == Opaque {
			k.key = c.key
		}
		if _, ok := shared[k]; !ok {
			shared[k] = s.add(c)
		}
		c.slot = shared[k]
	}
	s.pool = s.batches()
	s.compact.make = func() *Batch { return s.newBatch(0) }
	s.views.make = func() *Batch { return &Batch{} }
}

// batches returns an empty pool of batches of the present layout.
func (s *segment) batches() *pool {
	return &pool{make: func() *Batch { return s.newBatch(s.base) }}
}

// extend gives a slot to each column that is wanted only since the layout: a stack was added. The
// slots of before stay. It is called between two batches.
func (s *segment) extend() (grown bool) {
	for _, c := range s.cols {
		if c.wanted && c.group != nil && !c.alone {
			c.slot, c.alone, grown = s.add(c), true, true
		}
	}
	if grown {
		s.pool = s.batches() // what is out comes home to the old one, and goes with it
	}
	return grown
}

// tick lets batches go that a burst made.
func (s *segment) tick(now time.Time) {
	s.pool.tick(now)
	s.views.tick(now)
	s.compact.tick(now)
}

// sharing is which columns can be one: those of a type (structs differ in shape: of a key), but
// what nobody gives must read as zero and so is kept apart from what nobody reads.
type sharing struct {
	typ     Type
	key     *KeyInfo
	missing bool
}

func (s *segment) add(c *column) int {
	s.slots = append(s.slots, c)
	return len(s.slots) - 1
}

// newBatch makes a batch with storage for the columns from slot first on.
func (s *segment) newBatch(first int) *Batch {
	b := &Batch{cols: make([]any, len(s.slots))}
	for i := first; i < len(s.slots); i++ {
		b.cols[i] = s.slots[i].make()
		if Poison && s.slots[i].group != nil {
			s.slots[i].poison(b.cols[i])
		}
	}
	b.have = &b.own
	return b
}

// fork makes a batch of s that shares the columns, bytes and clock of its parent's batch b and has
// its own row list and presence words, so that a stack may filter and add keys while other stacks
// read the same input.
func (s *segment) fork(b *Batch) *Batch {
	f := s.pool.get()
	b.hold()
	f.parent = b
	copy(f.cols[:s.base], b.cols)
	f.rows, f.n = b.rows, b.n
	f.own = *b.have
	f.data, f.clock, f.replay = b.data, b.clock, b.replay
	f.text = append(f.text[:0], b.text...) // what the input wrote; the stack's filters write behind it
	return f
}

// view makes a batch that shares everything of b but the row list, which is empty.
func (s *segment) view(b *Batch) *Batch {
	v := s.views.get()
	b.hold()
	v.parent = b
	v.cols, v.have = b.cols, b.have
	v.data, v.text, v.clock, v.replay = b.data, b.text, b.clock, b.replay
	return v
}
