// From what a record has to how it is written, worked out once per combination that occurs.

package export

import (
	"slices"

	"ulogd/engine"
)

// A job writes one field of a shape.
type job struct {
	filler
	off int
}

// A half is how the record of one direction is written.
type half struct {
	template *Template // nil: no template can be had
	jobs     []job
	sizers   []sizer // of the fields of variable length
	weigh    weigher
	spots    [engine.BatchSize]spot
	n        int
}

// A shape is how rows with the same presence bits and variant are written.
type shape struct {
	have    uint64
	variant variant
	half    [2]half
	rows    [engine.BatchSize]engine.Row
	n       int
}

// A shapes is the shapes that have occurred, behind a table in which a hash of the bits finds most
// of them at once.
type shapes struct {
	items    items
	weigh    [2]weigher
	interest uint64 // the presence bits that matter
	registry *Templates
	table    [256]*shape
	all      []*shape
}

func (l *shapes) init(it items, g *Templates) {
	l.items, l.registry = it, g
	for i := range it {
		for d := range it[i].need {
			if it[i].from[d] != nil {
				l.interest |= it[i].need[d]
			}
		}
	}
}

// have returns whether records can have any of the elements, for [engine.WantIf]: what costs an input or a filter
// something to know is wanted only by who tells it.
func (l *shapes) have(elements ...*engine.Element) func() bool {
	return func() bool {
		return slices.ContainsFunc(l.items, func(it Item) bool { return slices.Contains(elements, it.element) })
	}
}

// find returns the shape of these bits, which are those of interest only.
func (l *shapes) find(have uint64, v variant) *shape {
	at := &l.table[(have^uint64(v)*0x9e3779b97f4a7c15)*0x9e3779b97f4a7c15>>56]
	if s := *at; s != nil && s.have == have && s.variant == v {
		return s
	}
	for _, s := range l.all {
		if s.have == have && s.variant == v {
			*at = s
			return s
		}
	}
	s := l.make(have, v)
	l.all = append(l.all, s)
	*at = s
	return s
}

func (l *shapes) make(have uint64, v variant) *shape {
	s := &shape{have: have, variant: v}
	for d := range s.half {
		l.makeHalf(&s.half[d], direction(d), have, v)
	}
	return s
}

func (l *shapes) makeHalf(h *half, d direction, have uint64, v variant) {
	h.weigh = l.weigh[d]
	if d == backward && v&twoWay == 0 {
		return
	}
	var els []Specifier
	var use []*Item
	for i := range l.items {
		it := &l.items[i]
		if it.applies(d, have, v) && !slices.Contains(els, it.Specifier) {
			els, use = append(els, it.Specifier), append(use, it)
		}
	}
	if len(els) == 0 {
		return
	}
	h.template = l.registry.Of(els, 0)
	if h.template == nil {
		h.template = l.registry.around(els, l.mayBeZero)
	}
	if h.template == nil {
		return
	}
	off := 0
	for _, e := range h.template.Elements {
		var f filler = zero{int(e.Length)}
		if i := slices.Index(els, e); i >= 0 {
			f = use[i].from[d]
		}
		h.jobs = append(h.jobs, job{f, off})
		if s, ok := f.(sizer); ok {
			h.sizers = append(h.sizers, s)
		} else {
			off += int(e.Length)
		}
	}
	h.jobs = fuse(h.jobs)
}

func (l *shapes) mayBeZero(e Specifier) bool {
	for i := range l.items {
		if l.items[i].Specifier == e {
			return l.items[i].Zero && e.Length != Variable
		}
	}
	return false
}
