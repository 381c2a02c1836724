// The MPLS labels around a flow's first packet, kept only if somebody reads them.

package flow

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// labels are the entries of a label stack, the top first.
type labels struct {
	n       uint32
	section [len(key.OOBMPLS)]uint32
}

// labelColumns are where a packet's are read from.
type labelColumns [len(key.OOBMPLS)]engine.Col[uint32]

func bindLabels(p *engine.Binder, wanted func() bool) (k labelColumns) {
	for i := range k {
		k[i] = engine.WantIf(p, key.OOBMPLS[i], wanted)
	}
	return k
}

// of reads what row r has.
func (k *labelColumns) of(b *engine.Batch, r engine.Row) (l labels) {
	for i := range k {
		if !k[i].Has(b, r) {
			break
		}
		l.section[i] = k[i].Of(b)[r]
		l.n++
	}
	return l
}

// labelKeys are what records tell of them.
type labelKeys struct {
	section [len(key.OOBMPLS)]engine.Col[uint32]
	has     [len(key.OOBMPLS)]uint64
}

func (o *labelKeys) bind(p *engine.Binder) {
	for i := range o.section {
		g := p.Group()
		o.has[i] = g.Mask()
		o.section[i] = engine.GiveExtra(p, g, key.OOBMPLS[i])
	}
}

// wanted reports whether somebody reads any of them.
func (o *labelKeys) wanted() bool {
	for i := range o.section {
		if o.section[i].Wanted() {
			return true
		}
	}
	return false
}

func (o *labelKeys) fill(b *engine.Batch, at int, list []labels) {
	have := b.Have()
	for i := range list {
		r, l := engine.Row(at+i), &list[i]
		for j := range l.n {
			o.section[j].Of(b)[r] = l.section[j]
			have[r] |= o.has[j]
		}
	}
}
