// Binding: how a plugin asks for keys when a stack is built, and what it gets.

package engine

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// A Binder ties one plugin's keys to one stack. It is valid during Bind only.
type Binder struct {
	inst  *Instance
	chain *builder
	seg   *segment // where the plugin's gifts go
	up    []*column
	step  *step

	needed   func() bool // set by WantIf
	describe *Manual     // set while a manual is being made: nothing is upstream
	problems []problem
}

// problem is why a plugin does not fit into a stack.
type problem struct {
	text    string
	missing string // key that it needs and nobody gives; "": it is something else
}

// Need binds a key that the plugin cannot do without. If no plugin before gives it, the stack does
// not fit and is refused.
func Need[T any](p *Binder, k Key[T]) Col[T] { return Col[T]{p.need(k.info, newColumn[T])} }

// need is Need for a column of any type. What is the same for all types is compiled once.
func (p *Binder) need(k *KeyInfo, made func(*KeyInfo) *column) *column {
	p.note(&p.manual().Needs, k)
	if c := p.find(k, made); c != nil {
		return c
	}
	if p.describe == nil {
		text := fmt.Sprintf("%s needs %s, which no plugin before it gives", p.inst, k.Name)
		p.problems = append(p.problems, problem{text, k.Name})
	}
	return p.missing(made(k))
}

// Want binds a key that the plugin uses where it is there. If nobody gives it, no row has it.
func Want[T any](p *Binder, k Key[T]) Col[T] { return Col[T]{p.want(k.info, newColumn[T])} }

func (p *Binder) want(k *KeyInfo, made func(*KeyInfo) *column) *column {
	p.note(&p.manual().Wants, k)
	if c := p.find(k, made); c != nil {
		return c
	}
	return p.missing(made(k))
}

// WantIf is Want for a key that the plugin uses only for what others may not want of it. needed is
// asked when all stacks are bound, from their ends to their beginnings, and may ask [Col.Wanted].
func WantIf[T any](p *Binder, k Key[T], needed func() bool) Col[T] {
	p.needed = needed
	defer func() { p.needed = nil }()
	return Want(p, k)
}

// Give binds a key that the plugin fills for the rows that have the group.
func Give[T any](p *Binder, g Group, k Key[T]) Col[T] {
	return Col[T]{p.give(newColumn[T](k.info), g, false)}
}

// GiveExtra is Give for a key that ulogd2's plugin of the same name lacks. Outputs that print every
// key leave it out unless asked.
func GiveExtra[T any](p *Binder, g Group, k Key[T]) Col[T] {
	return Col[T]{p.give(newColumn[T](k.info), g, true)}
}

func (p *Binder) give(c *column, g Group, extra bool) *column {
	p.note(&p.manual().Gives, c.key)
	c.giver, c.extra, c.group = p.inst.String(), extra, g.g
	if g.g != nil {
		g.g.cols = append(g.g.cols, c)
	}
	p.seg.cols = append(p.seg.cols, c)
	p.chain.given = append(p.chain.given, c)
	return c
}

// Group makes a group of keys that come and go together.
func (p *Binder) Group() Group {
	g := Group{p.seg.group()}
	if p.seg.bits > 64 && p.describe == nil {
		p.Problem("the stack has more than 64 groups of keys; split it in two")
	}
	return g
}

// GroupOf returns the group of a bound key, for a plugin that gives a key exactly where another is
// there. It is made anew if nobody gives that key, and then no row has it.
func GroupOf[T any](p *Binder, c Col[T]) Group {
	if c.c.group != nil && c.c.group.seg == p.seg || c.c.group != nil && p.seg.parent == c.c.group.seg {
		return Group{c.c.group}
	}
	return p.Group()
}

// All returns every key of the plugins before, in stack order, as ulogd2's outputs without keys of
// their own take them. A name given twice appears twice and both show the nearest giver's value.
// Opaque keys are left out; extra ones are marked. The fields returned count as read.
func (p *Binder) All(pick func(Field) bool) []Field {
	var out []Field
	p.manual().TakesAll = true
	fam := p.Family()
	for _, c := range p.up {
		if c.inner || c.key.Type == Opaque {
			continue
		}
		near := p.nearest(c.key.Name)
		for _, f := range fieldsOf(near, fam) {
			f.Extra = c.extra
			if pick(f) {
				p.read(near)
				p.note(&p.manual().Wants, near.key)
				out = append(out, f)
			}
		}
	}
	return out
}

// Named returns the key of that name, a time key under its own name (nanoseconds) or as NAME.sec
// and NAME.usec. It counts as read.
func (p *Binder) Named(name string) (Field, bool) {
	for _, base := range []string{name, strings.TrimSuffix(name, ".sec"), strings.TrimSuffix(name, ".usec")} {
		c := p.nearest(base)
		if c == nil || c.key.Type == Opaque {
			continue
		}
		for _, f := range fieldsOf(c, p.Family()) {
			if f.Name == name {
				p.read(c)
				p.note(&p.manual().Wants, c.key)
				return f, true
			}
		}
		if c.key.Type == TimeType && base == name {
			p.read(c)
			p.note(&p.manual().Wants, c.key)
			return Field{Name: name, Key: c.key, Extra: c.extra, Giver: c.giver, part: wholeTime, mask: c.mask(), c: c}, true
		}
	}
	return Field{}, false
}

// Names returns the names that Named takes here, for a message that proposes one.
func (p *Binder) Names() []string {
	var names []string
	for _, c := range p.up {
		if c.key.Type != Opaque && !c.inner {
			names = append(names, c.key.Name)
		}
	}
	sort.Strings(names)
	return slices.Compact(names)
}

// Problem reports why the plugin cannot be used in this stack or with these settings.
func (p *Binder) Problem(format string, args ...any) {
	p.problems = append(p.problems, problem{text: fmt.Sprintf("%s: ", p.inst) + fmt.Sprintf(format, args...)})
}

// Restart says that the plugin takes records in and gives new ones of its own: what it gives from
// here on, and what the plugins behind it see, is filled into the emitter's batches.
func (p *Binder) Restart() *Emitter {
	p.seg = &segment{}
	p.up = nil
	p.chain.segment(p.seg)
	p.step.emitter = &Emitter{seg: p.seg, inst: p.inst}
	return p.step.emitter
}

// Stats returns the counters of the plugin's instance.
func (p *Binder) Stats() *Stats { return p.inst.Stats }

// Env returns what the engine offers to instances. Its log is usable now; the rest once the
// instance is opened.
func (p *Binder) Env() *Env { return p.inst.env }

// Settings returns the engine's own options of the instance.
func (p *Binder) Settings() *Settings { return &p.inst.Settings }

func (p *Binder) nearest(name string) *column {
	for i := len(p.up) - 1; i >= 0; i-- {
		if p.up[i].key.Name == name && !p.up[i].inner {
			return p.up[i]
		}
	}
	return nil
}

// find returns the column of the nearest plugin that gives the key, through a conversion if its
// type is another one.
func (p *Binder) find(k *KeyInfo, made func(*KeyInfo) *column) *column {
	c := p.nearest(k.Name)
	if c == nil {
		return nil
	}
	p.read(c)
	if c.key.Type == k.Type && (k.Type != Opaque || c.key == k) {
		return c
	}
	if !c.key.Type.Integer() || !k.Type.Integer() {
		text := fmt.Sprintf("%s takes %s as %s, but %s gives it as %s", p.inst, k.Name, k.Type, c.giver, c.key.Type)
		p.problems = append(p.problems, problem{text: text})
		return nil
	}
	to := made(k)
	to.giver, to.group, to.inner = c.giver, c.group, true
	p.read(to)
	p.seg.cols = append(p.seg.cols, to)
	p.step.convs = append(p.step.convs, &conversion{from: c, to: to})
	return to
}

// read notes that the plugin reads a column.
func (p *Binder) read(c *column) {
	if p.needed != nil {
		p.chain.d.conditional = append(p.chain.d.conditional, conditional{c, p.needed})
	} else {
		c.wanted = true
	}
	p.step.reads = append(p.step.reads, c)
}

// missing adds a column that nobody fills.
func (p *Binder) missing(c *column) *column {
	p.seg.cols = append(p.seg.cols, c)
	return c
}

func (p *Binder) manual() *Manual {
	if p.describe != nil {
		return p.describe
	}
	return &p.step.manual
}

func (p *Binder) note(list *[]*KeyInfo, k *KeyInfo) {
	if !slices.Contains(*list, k) {
		*list = append(*list, k)
	}
}
