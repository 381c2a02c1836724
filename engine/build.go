// Building: from the instances of stacks to a machine whose keys are bound.

package engine

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// A BuildError says why a stack does not fit together.
type BuildError struct {
	Stack    int // index into the specs
	Instance *Instance
	Text     string
	Missing  []string // keys that are needed and given by nobody before
}

func (e *BuildError) Error() string { return e.Text }

// Build binds the keys of all stacks and lays out their batches. It does no I/O. All problems are
// returned at once.
func Build(log *slog.Logger, specs []StackSpec) (*Machine, []*BuildError) {
	m := &Machine{Patience: 10 * time.Second, log: log, own: &OwnTraffic{}, audit: newAudit()}
	uses := map[*Instance]int{}
	for _, s := range specs {
		uses[s.Instances[0]]++
		for _, inst := range s.Instances {
			if !slices.Contains(m.insts, inst) {
				inst.env = newEnv(m, inst)
				m.insts = append(m.insts, inst)
			}
		}
	}
	var problems []*BuildError
	for i, s := range specs {
		b := &builder{m: m, index: i, name: s.Name}
		b.stack(s, uses[s.Instances[0]] > 1)
		problems = append(problems, b.problems...)
		m.stacks = append(m.stacks, &Stack{Name: s.Name, insts: s.Instances, input: b.in, chain: b.in.chains[len(b.in.chains)-1]})
	}
	for _, x := range slices.Backward(m.conditional) {
		x.column.wanted = x.column.wanted || x.needed()
	}
	for _, in := range m.inputs {
		in.seg.layout()
	}
	for _, seg := range m.segs {
		seg.layout()
	}
	return m, problems
}

// A conditional column is wanted if something behind it is.
type conditional struct {
	column *column
	needed func() bool
}

// builder binds one stack, plugin by plugin.
type builder struct {
	m        *Machine
	index    int
	in       *input
	seg      *segment
	given    []*column // what the next plugin can read
	missing  []string  // keys that the plugin being bound needs in vain
	name     string    // the stack's
	timed    Timed     // the nearest filter that ends flows by time
	counts   Counts    // what the nearest plugin says of its records' counters
	copies   int       // inside a dealt part, its number of copies
	problems []*BuildError
}

func (b *builder) stack(s StackSpec, shared bool) {
	b.in = b.m.input(s.Instances[0], b)
	b.in.shared = shared
	b.counted(b.in.impl, true)
	b.seg, b.given = b.in.seg, slices.Clone(b.in.given)
	if shared {
		b.segment(&segment{parent: b.in.seg, bits: b.in.seg.bits})
		b.given = slices.Clone(b.in.given)
	}
	c := &chain{seg: b.seg}
	b.in.chains = append(b.in.chains, c)
	b.rest(c, s.Instances[1:])
}

// segment begins a part of the stack with batches of its own.
func (b *builder) segment(s *segment) {
	b.seg, b.given = s, nil
	b.m.segs = append(b.m.segs, s)
}

// rest binds the plugins behind the input, or behind a filter that makes new records, into chain c.
func (b *builder) rest(c *chain, insts []*Instance) {
	for i, inst := range insts {
		if sh, ok := inst.impl.(Sharder); ok && b.copies == 0 && sh.Shards() > 1 {
			b.deal(c, insts[i:], sh)
			return
		}
		s := &step{inst: inst}
		c.steps = append(c.steps, s)
		if inst.Plugin.Kind() == OutputKind {
			b.output(s, inst)
			return
		}
		p := b.binder(inst, s)
		s.stage = inst.impl.(Filter).Bind(p)
		b.collect(p)
		if t, ok := inst.impl.(Timed); ok {
			b.timed = t
		}
		b.counted(inst.impl, s.emitter != nil)
		if s.emitter != nil {
			s.emitter.rest = &chain{seg: b.seg}
			c = s.emitter.rest
		}
	}
}

func (b *builder) deal(c *chain, insts []*Instance, sh Sharder) {
	n := min(sh.Shards(), maxShards)
	s := &step{inst: insts[0], deal: &deal{seg: b.seg}}
	c.steps = append(c.steps, s)
	p := b.binder(insts[0], s)
	s.deal.dealer = sh.Deal(p)
	b.collect(p)
	seg, given := b.seg, b.given
	for range n {
		b.seg, b.given, b.copies = seg, slices.Clone(given), n
		part := newShard(&chain{seg: seg})
		s.deal.shards = append(s.deal.shards, part)
		b.rest(part.chain, insts)
	}
}

func (b *builder) output(s *step, inst *Instance) {
	out := b.m.output(inst)
	out.feeders.Add(1)
	p := b.binder(inst, s)
	s.stage = inst.impl.(Output).Bind(p)
	b.collect(p)
	s.port = &port{
		out: out, seg: b.seg, stage: s.stage, reads: given(s.reads),
		own: s.own, block: p.Waits(), needs: newRequired(s.requires),
	}
}

// given returns the columns that somebody gives, each once.
func given(cols []*column) (out []*column) {
	for _, c := range cols {
		if c.group != nil && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

func (b *builder) binder(inst *Instance, s *step) *Binder {
	b.missing = nil
	return &Binder{inst: inst, chain: b, seg: b.seg, up: slices.Clone(b.given), step: s}
}

func (b *builder) collect(p *Binder) {
	for _, text := range p.problems {
		b.problems = append(b.problems, &BuildError{Stack: b.index, Instance: p.inst, Text: text, Missing: b.missing})
	}
}

// input returns the running side of an input instance, binding it at its first use.
func (m *Machine) input(inst *Instance, b *builder) *input {
	for _, in := range m.inputs {
		if in.inst == inst {
			return in
		}
	}
	in := &input{m: m, inst: inst, impl: inst.impl.(Input), seg: &segment{}}
	m.inputs = append(m.inputs, in)
	b.seg, b.given = in.seg, nil
	s := &step{inst: inst}
	p := b.binder(inst, s)
	in.impl.Bind(p)
	b.collect(p)
	in.given, in.manual = b.given, s.manual
	return in
}

func (m *Machine) output(inst *Instance) *output {
	for _, o := range m.outputs {
		if o.inst == inst {
			return o
		}
	}
	o := &output{m: m, inst: inst}
	if n := inst.Settings.Queue; n > 0 {
		o.queue = newQueue(n, inst.Stats)
	}
	m.outputs = append(m.outputs, o)
	return o
}

// OwnAccounting says that the plugin itself counts what happens to the records it takes: out,
// absorbed, filtered, dropped, held. A filter that makes new records always does.
func (p *Binder) OwnAccounting() { p.step.own = true }

// Stack is one bound stack, for explanations.
type Stack struct {
	Name  string
	insts []*Instance
	input *input
	chain *chain
}

// A Link explains one key of a stack: who gives it, who reads it.
type Link struct {
	Key     *KeyInfo
	Giver   string
	Extra   bool
	Readers []string
	Convert string // a conversion of the value's type on the way
}

// Explain lists who gives each key to whom.
func (m *Machine) Explain(stack int) []Link {
	st := m.stacks[stack]
	var links []Link
	index := map[string]int{} // name -> nearest giver's link so far
	add := func(inst string, man *Manual, convs []*conversion) {
		for _, k := range append(slices.Clone(man.Needs), man.Wants...) {
			if i, ok := index[k.Name]; ok && !slices.Contains(links[i].Readers, inst) {
				links[i].Readers = append(links[i].Readers, inst)
			}
		}
		for _, c := range convs {
			if i, ok := index[c.from.key.Name]; ok {
				links[i].Convert = c.String()
			}
		}
		for _, k := range man.Gives {
			index[k.Name] = len(links)
			links = append(links, Link{Key: k, Giver: inst})
		}
	}
	add(st.input.inst.String(), &st.input.manual, nil)
	var walk func(c *chain)
	walk = func(c *chain) {
		for _, s := range c.steps {
			if s.emitter != nil {
				// Readers of the old records end here; the names start anew.
				m := s.manual
				gives := m.Gives
				m.Gives = nil
				add(s.inst.String(), &m, s.convs)
				index = map[string]int{}
				add(s.inst.String(), &Manual{Gives: gives}, nil)
				walk(s.emitter.rest)
				return
			}
			add(s.inst.String(), &s.manual, s.convs)
			if s.deal != nil {
				walk(s.deal.shards[0].chain)
				return
			}
		}
	}
	walk(st.chain)
	return links
}

func (l Link) String() string {
	return fmt.Sprintf("%s (%s) from %s", l.Key.Name, l.Key.Type, l.Giver)
}
