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
	Missing  string // key that is needed and given by nobody before; "": it is something else
}

func (e *BuildError) Error() string { return e.Text }

// Build binds the keys of all stacks and lays out their batches. It does no I/O. All problems are
// returned at once.
func Build(log *slog.Logger, specs []StackSpec) (*Machine, []*BuildError) {
	m := &Machine{Patience: 10 * time.Second, log: log, own: &OwnTraffic{}, audit: newAudit()}
	d := newBinding(m, specs)
	uses := map[*Instance]int{}
	for _, s := range specs {
		uses[s.Instances[0]]++
	}
	for i, s := range specs {
		st := d.stack(i, s, uses[s.Instances[0]] > 1)
		st.input.chains = append(st.input.chains, st.chain)
	}
	d.want()
	for _, in := range d.inputs {
		in.seg.layout()
	}
	for _, seg := range d.segs {
		seg.layout()
	}
	m.parts = d.parts
	return m, d.problems
}

// A binding is what is being bound for a machine: for a new one all, for one that runs what is to be
// added.
type binding struct {
	m     *Machine
	there parts // what runs already
	parts
	segs        []*segment
	conditional []conditional
	problems    []*BuildError
}

// newBinding begins with the instances of the stacks that m does not have yet.
func newBinding(m *Machine, specs []StackSpec) *binding {
	d := &binding{m: m, there: m.now()}
	for _, s := range specs {
		for _, inst := range s.Instances {
			if !slices.Contains(d.there.insts, inst) && !slices.Contains(d.insts, inst) {
				inst.env = newEnv(m, inst)
				d.insts = append(d.insts, inst)
			}
		}
	}
	return d
}

// stack binds one stack. shared says that others begin with its input, too.
func (d *binding) stack(index int, s StackSpec, shared bool) *boundStack {
	b := &builder{d: d, index: index, name: s.Name}
	st := &boundStack{Name: s.Name, insts: s.Instances, chain: b.stack(s, shared), input: b.in}
	d.problems = append(d.problems, b.problems...)
	d.stacks = append(d.stacks, st)
	return st
}

// want decides which of the conditional columns are wanted, now that all is bound.
func (d *binding) want() {
	for _, x := range slices.Backward(d.conditional) {
		x.column.wanted = x.column.wanted || x.needed()
	}
	d.conditional = nil
}

// A conditional column is wanted if something behind it is.
type conditional struct {
	column *column
	needed func() bool
}

// builder binds one stack, plugin by plugin.
type builder struct {
	d        *binding
	index    int
	in       *input
	seg      *segment
	given    []*column // what the next plugin can read
	name     string    // the stack's
	timed    Timed     // the nearest filter that ends flows by time
	counts   Counts    // what the nearest plugin says of its records' counters
	copies   int       // inside a dealt part, its number of copies
	problems []*BuildError
}

func (b *builder) stack(s StackSpec, shared bool) *chain {
	b.in = b.d.input(s.Instances[0], b)
	b.counted(b.in.impl, true)
	b.seg, b.given = b.in.seg, slices.Clone(b.in.given)
	if shared {
		b.segment(&segment{parent: b.in.seg, bits: b.in.bits})
		b.given = slices.Clone(b.in.given)
	}
	c := &chain{seg: b.seg}
	b.rest(c, s.Instances[1:])
	return c
}

// segment begins a part of the stack with batches of its own.
func (b *builder) segment(s *segment) {
	b.seg, b.given = s, nil
	b.d.segs = append(b.d.segs, s)
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
	out := b.d.output(inst)
	out.feeders.Add(1)
	p := b.binder(inst, s)
	if out.lock() { // it may be running
		s.stage = inst.impl.(Output).Bind(p)
		out.mu.Unlock()
	} else {
		p.Problem("is busy with what it writes to, and cannot be given another stack now")
	}
	b.collect(p)
	s.port = &port{
		out: out, seg: b.seg, stage: s.stage, reads: given(s.reads),
		own: s.own, block: p.Waits(), room: room(inst.Settings.Queue, p), needs: newRequired(s.requires),
	}
}

// fileRows is how many rows of a file wait for an output at most: those of longer queues have left the
// processor's caches when their turn comes.
const fileRows = 4096

// room returns how many rows of a stack may wait for an output.
func room(queue int, p *Binder) int {
	if p.Stack().File && p.Waits() {
		return min(queue, fileRows)
	}
	return queue
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
	return &Binder{inst: inst, chain: b, seg: b.seg, up: slices.Clone(b.given), step: s}
}

func (b *builder) collect(p *Binder) {
	for _, x := range p.problems {
		b.problems = append(b.problems, &BuildError{Stack: b.index, Instance: p.inst, Text: x.text, Missing: x.missing})
	}
}

// input returns the running side of an input instance, binding it at its first use.
func (d *binding) input(inst *Instance, b *builder) *input {
	for _, in := range append(slices.Clone(d.there.inputs), d.inputs...) {
		if in.inst == inst {
			return in
		}
	}
	in := &input{m: d.m, inst: inst, impl: inst.impl.(Input), seg: &segment{}}
	d.inputs = append(d.inputs, in)
	b.seg, b.given = in.seg, nil
	s := &step{inst: inst}
	p := b.binder(inst, s)
	in.impl.Bind(p)
	b.collect(p)
	in.given, in.bits, in.manual = b.given, in.seg.bits, s.manual
	return in
}

func (d *binding) output(inst *Instance) *output {
	for _, o := range append(slices.Clone(d.there.outputs), d.outputs...) {
		if o.inst == inst {
			return o
		}
	}
	o := &output{m: d.m, inst: inst}
	if n := inst.Settings.Queue; n > 0 {
		o.queue = newQueue(n, inst.Stats)
	}
	d.outputs = append(d.outputs, o)
	return o
}

// OwnAccounting says that the plugin itself counts what happens to the records it takes: out,
// absorbed, filtered, dropped, held. A filter that makes new records always does.
func (p *Binder) OwnAccounting() { p.step.own = true }

// boundStack is one bound stack, for explanations.
type boundStack struct {
	Name  string
	insts []*Instance
	input *input
	chain *chain
}

// A KeyUse explains one key of a stack: who gives it, who reads it.
type KeyUse struct {
	Key     *KeyInfo
	Giver   string
	Extra   bool
	Readers []string
	Convert string // a conversion of the value's type on the way
}

// Explain lists who gives each key to whom.
func (m *Machine) Explain(stack int) []KeyUse {
	st := m.stacks[stack]
	var links []KeyUse
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
			links = append(links, KeyUse{Key: k, Giver: inst})
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

func (l KeyUse) String() string {
	return fmt.Sprintf("%s (%s) from %s", l.Key.Name, l.Key.Type, l.Giver)
}
