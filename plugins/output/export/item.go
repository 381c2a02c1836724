// What an output can put into its records, and when.

package export

import (
	"ulogd/engine"
)

// variant is what decides on a record's template besides the keys that it has.
type variant uint8

const (
	is6    variant = 1 << iota // IPv6
	noIP                       // not IP at all
	twoWay                     // the reply direction has packets
	nat                        // the reply tuple is not the original one turned round
)

// direction is which half of a connection a record tells of.
type direction uint8

const (
	forward  direction = iota // the initiator's
	backward                  // the reply
)

// An Item is an information element and what it is made of, in a record of either direction.
type Item struct {
	Element
	Name string // of the element, in the registry or of the key
	Info *engine.KeyInfo
	// Extra items are in records only if asked for by name.
	Extra bool
	// Zero says that 0 means as much as leaving the element out.
	Zero bool

	on, off variant   // must be, must not be
	need    [2]uint64 // presence bits, by direction
	from    [2]filler // nil: not in records of this direction
}

func (it *Item) applies(d direction, have uint64, v variant) bool {
	return it.from[d] != nil && have&it.need[d] == it.need[d] && v&it.on == it.on && v&it.off == 0
}

// items collects the items that a stack can fill.
type items []Item

// add takes an item if the keys are there: bits are those of the columns it reads, by direction, 0 where nobody gives one.
func (l *items) add(it Item, fwd, back source) {
	for d, s := range [2]source{fwd, back} {
		if s.filler == nil {
			continue
		}
		it.from[d], it.need[d] = s.filler, 0
		for _, m := range s.masks {
			if m == 0 {
				it.from[d] = nil
			}
			it.need[d] |= m
		}
	}
	if it.from[forward] != nil || it.from[backward] != nil {
		*l = append(*l, it)
	}
}

// A source is a filler and the presence bits of the columns it reads.
type source struct {
	filler filler
	masks  []uint64
}

func from(f filler, masks ...uint64) source { return source{f, masks} }

func num[T integer](c engine.Col[T], width int) source {
	return from(number[T]{c, width}, c.Mask())
}

// either takes an item whose reply side is made of one source or, where a record lacks that, of another.
func (l *items) either(it Item, fwd, back, otherwise source) {
	l.add(it, fwd, back)
	l.add(it, source{}, otherwise)
}
