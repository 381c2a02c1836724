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
	from4                      // the exporter sends from an IPv4 address
	from6                      // the exporter sends from an IPv6 address
)

// direction is which half of a connection a record tells of.
type direction uint8

const (
	forward  direction = iota // the initiator's
	backward                  // the reply
)

// An Item is an information element and what it is made of, in a record of either direction.
type Item struct {
	Specifier
	element *engine.Element
	key     *engine.KeyInfo // that the initiator's records, or else the reply's, are filled from; nil: no single one
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

// own reports whether the element is under an enterprise number, other than that of reverse
// elements.
func (it *Item) own() bool { return it.PEN != 0 && it.PEN != engine.Reverse }

// zero says that 0 means as much as leaving the element out.
func (it *Item) zero() *Item {
	it.Zero = true
	return it
}

// extra leaves the element to those who ask for it.
func (it *Item) extra() *Item {
	it.Extra = true
	return it
}

// when restricts the element to records of a variant.
func (it *Item) when(v variant) *Item {
	it.on |= v
	return it
}

// items collects the items that a stack can fill.
type items []Item

// add takes an item if the keys are there. What it returns may be changed until the next is added.
func (l *items) add(e *engine.Element, fwd, back source) *Item {
	it := Item{Specifier: specify(e), element: e}
	switch e.Family {
	case 4:
		it.off = is6 | noIP
	case 6:
		it.on = is6
	}
	for d, s := range [2]source{fwd, back} {
		if s.fill == nil {
			continue
		}
		it.from[d], it.need[d] = s.fill(e), 0
		if it.key == nil {
			it.key = s.key
		}
		for _, m := range s.masks {
			if m == 0 {
				it.from[d] = nil
			}
			it.need[d] |= m
		}
	}
	if it.from[forward] == nil && it.from[backward] == nil {
		return &it
	}
	*l = append(*l, it)
	return &(*l)[len(*l)-1]
}

// either takes an item whose reply side is made of one source or, where a record lacks that, of
// another.
func (l *items) either(e *engine.Element, fwd, back, otherwise source) {
	l.add(e, fwd, back)
	l.add(e, source{}, otherwise)
}

// A source is what fills an element in records of one direction, and the presence bits of the
// columns that are read for it: 0 where nobody gives one.
type source struct {
	fill  func(e *engine.Element) filler
	masks []uint64
	key   *engine.KeyInfo
}

// from makes a source of something that writes one element, whatever it is called.
func from(f filler, masks ...uint64) source {
	return source{fill: func(*engine.Element) filler { return f }, masks: masks}
}

// col makes a source of a column.
func col[T any](c engine.Col[T]) source {
	return source{func(e *engine.Element) filler { return column(c, c.Key(), e) }, []uint64{c.Mask()}, c.Key()}
}

// column returns what writes the values of a column of any type as an element. It panics where the table of elements
// has a type that no value of the column can be written as, which the first stack built shows.
func column(c any, k *engine.KeyInfo, e *engine.Element) filler {
	width := int(e.Length())
	switch c := c.(type) {
	case engine.Col[engine.Addr]:
		if e.Type == engine.IPv4Address {
			return addr4{c}
		}
		return addr6{c}
	case engine.Col[engine.Time]:
		switch e.Type {
		case engine.DateTimeSeconds:
			return seconds{c}
		case engine.DateTimeMilliseconds:
			return millis{c}
		case engine.DateTimeMicroseconds:
			return ntp{c, ntpMicro}
		case engine.DateTimeNanoseconds:
			return ntp{c, ntpNano}
		}
	case engine.Col[engine.MAC]:
		return mac{c}
	case engine.Col[engine.Label]:
		return label{c}
	case engine.Col[engine.Raw]:
		if e.Type == engine.MACAddress {
			return rawMAC{c}
		}
	case engine.Col[engine.String]:
		return octets[engine.String]{c, true, maxString}
	case engine.Col[uint8]:
		return number[uint8]{c, width}
	case engine.Col[uint16]:
		return number[uint16]{c, width}
	case engine.Col[uint32]:
		return number[uint32]{c, width}
	case engine.Col[uint64]:
		return number[uint64]{c, width}
	}
	panic("export: nothing writes " + k.Name + " as " + e.Name)
}

// maxString cuts strings that would not fit the smallest message.
const maxString = 255
