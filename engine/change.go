// Change: other stacks for a machine that runs.

package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// A Changed is what a change did with the instances.
type Changed struct {
	Kept    []*Instance
	Added   []*Instance
	Removed []*Instance
	Left    []Snapshot // the counters of those that were removed, at their end
}

// errEnding is why no change can be made any more.
var errEnding = errors.New("the daemon is ending")

// Change has a running machine run these stacks from now on. Instances that are in both go on with
// all that they have: sockets, sessions, caches, counters. A stack whose instances are all the same
// goes on as it is. Other stacks are bound and their new instances opened first; then, between two
// batches of each input, stacks are exchanged, so that each record goes through the old or through
// the new ones. What was taken out hands on what it holds, for as long as timeout, and is closed.
//
// Where something does not fit or cannot be opened nothing is changed, and the errors say why: a
// *BuildError or an *OpenError each.
func (m *Machine) Change(specs []StackSpec, timeout time.Duration) (*Changed, []error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	if !m.hold() {
		return nil, []error{errEnding}
	}
	defer m.left()
	c := &change{m: m, binding: newBinding(m, specs), timeout: timeout}
	c.sort(specs)
	if errs := c.bind(); len(errs) > 0 {
		c.undo()
		return nil, errs
	}
	opened, err := open(c.insts, c.newChains())
	if err != nil {
		closeAll(opened, c.newChains())
		c.undo()
		return nil, []error{err}
	}
	c.opened = opened
	c.exchange()
	return c.finish(), nil
}

// hold keeps the machine from coming to its end by itself. It returns false if it has, or is to.
func (m *Machine) hold() bool {
	select {
	case <-m.stopping:
		return false
	default:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running == 0 {
		return false
	}
	m.running++
	return true
}

// change is a change under way. Its binding is what is added.
type change struct {
	m *Machine
	*binding
	timeout time.Duration
	specs   []StackSpec
	keep    map[*boundStack]bool // of the stacks that run
	order   []*boundStack        // the stacks of afterwards; nil for one that is to be added
	gone    []*chain             // chains that were taken out of inputs that stay
}

// sort finds out which stacks stay.
func (c *change) sort(specs []StackSpec) {
	c.specs, c.keep, c.order = specs, map[*boundStack]bool{}, make([]*boundStack, len(specs))
	for i, s := range specs {
		for _, st := range c.there.stacks {
			if !c.keep[st] && slices.Equal(st.insts, s.Instances) {
				c.keep[st], c.order[i] = true, st
				break
			}
		}
	}
}

// bind binds the stacks that are added: those of inputs that run on their inputs' goroutines, since
// columns of theirs are marked as wanted.
func (c *change) bind() (errs []error) {
	for i, s := range c.specs {
		if c.order[i] != nil {
			continue
		}
		in := c.running(s.Instances[0])
		if in == nil {
			shared := c.shared(s.Instances[0])
			c.order[i] = c.binding.stack(i, s, shared)
			in := c.order[i].input
			in.chains = append(in.chains, c.order[i].chain)
			continue
		}
		err := in.between(bindTimeout, func() {
			c.order[i] = c.binding.stack(i, s, true)
			c.want()
		})
		if err != nil {
			errs = append(errs, err)
		}
	}
	for _, p := range c.problems {
		errs = append(errs, p)
	}
	c.want()
	for _, in := range c.inputs {
		in.seg.layout()
	}
	return errs
}

// shared reports whether several stacks begin with an instance.
func (c *change) shared(inst *Instance) bool {
	n := 0
	for _, s := range c.specs {
		if s.Instances[0] == inst {
			n++
		}
	}
	return n > 1
}

// running returns the input that an instance already is.
func (c *change) running(inst *Instance) *input {
	for _, in := range c.there.inputs {
		if in.inst == inst {
			return in
		}
	}
	return nil
}

// bindTimeout is how long a change waits for an input to come to the end of its batch.
const bindTimeout = 10 * time.Second

// between runs f on the input's goroutine, between two batches, if it comes to that within the time
// given; 0 waits as long as the input lives.
func (in *input) between(patience time.Duration, f func()) error {
	var taken atomic.Bool // by the input, which runs f, or by who waits, and f is not run any more
	done := make(chan struct{})
	err := fmt.Errorf("%s has come to its end and takes no other stack", in.inst)
	put := in.mail.put(func() {
		defer close(done)
		if taken.CompareAndSwap(false, true) {
			f()
		}
	})
	if !put {
		return err
	}
	var late <-chan time.Time
	if patience > 0 {
		late = time.After(patience)
	}
	select {
	case <-done:
		return nil
	case <-in.done:
	case <-late:
		err = fmt.Errorf("%s waits for an output that takes nothing; see which with ulogd stats, and try again", in.inst)
	}
	if taken.CompareAndSwap(false, true) {
		return err
	}
	<-done
	return nil
}

// newChains returns the chains of the stacks that are added.
func (c *change) newChains() (all []*chain) {
	for _, st := range c.binding.stacks {
		all = append(all, st.chain)
	}
	return all
}

// undo takes the feeders back that binding has added to outputs.
func (c *change) undo() {
	for _, st := range stages(c.newChains()) {
		if st.port != nil {
			st.port.out.feeders.Add(-1)
		}
	}
}

// exchange lets the new stacks run, and takes the old ones out of the inputs that stay.
func (c *change) exchange() {
	m := c.m
	m.mu.Lock()
	m.changes++
	m.inputs = append(slices.Clone(m.inputs), c.inputs...)
	m.outputs = append(slices.Clone(m.outputs), c.outputs...)
	m.insts = append(slices.Clone(m.insts), c.insts...)
	m.opened = append(slices.Clone(m.opened), c.opened...)
	m.mu.Unlock()
	for _, in := range c.inputs {
		c.layout(in)
	}
	m.start(nil, c.outputs)
	for _, in := range c.there.inputs {
		if !c.stays(in.inst) {
			continue
		}
		added, removed := c.chains(in, c.binding.stacks), c.leaving(in)
		if len(added)+len(removed) == 0 {
			continue
		}
		if in.between(0, func() { c.swap(in, added, removed) }) != nil {
			for _, x := range added { // nothing comes any more
				x.seg.layout()
				x.start()
				x.flush()
			}
			continue
		}
		c.gone = append(c.gone, removed...)
	}
	m.start(c.inputs, nil)
}

// swap exchanges chains of an input. It runs on the input's goroutine.
func (c *change) swap(in *input, added, removed []*chain) {
	grown := in.seg.extend()
	c.layout(in)
	for _, x := range added {
		x.inherit(removed)
		x.start()
	}
	chains := slices.DeleteFunc(slices.Clone(in.chains), func(x *chain) bool { return slices.Contains(removed, x) })
	for _, x := range removed {
		x.gone = true
	}
	in.m.mu.Lock()
	in.chains = append(chains, added...)
	in.m.mu.Unlock()
	if w, ok := in.impl.(Widener); ok && grown {
		w.Widen()
	}
}

// inherit hands what the stages of chains that are taken out have gathered to those of the same
// instances here.
func (c *chain) inherit(removed []*chain) {
	c.each(func(s *step) {
		heir, ok := s.stage.(Heir)
		for i := 0; ok && i < len(removed); i++ {
			removed[i].each(func(old *step) {
				if old.inst == s.inst && !old.left && heir.Inherit(old.stage) {
					old.left = true
				}
			})
		}
	})
}

// layout lays out the segments of the stacks that are added behind an input.
func (c *change) layout(in *input) {
	for _, x := range c.chains(in, c.binding.stacks) {
		x.layout()
	}
}

// chains returns the chains of those stacks that begin with an input.
func (c *change) chains(in *input, stacks []*boundStack) (all []*chain) {
	for _, st := range stacks {
		if st.input == in {
			all = append(all, st.chain)
		}
	}
	return all
}

// leaving returns the chains that are taken out of an input.
func (c *change) leaving(in *input) (all []*chain) {
	for _, st := range c.there.stacks {
		if st.input == in && !c.keep[st] {
			all = append(all, st.chain)
		}
	}
	return all
}

// stays reports whether an instance is in the stacks of afterwards.
func (c *change) stays(inst *Instance) bool {
	for _, s := range c.specs {
		if slices.Contains(s.Instances, inst) {
			return true
		}
	}
	return false
}

// finish lets what was taken out hand on what it holds, and closes it.
func (c *change) finish() *Changed {
	m, by := c.m, time.Now().Add(c.timeout)
	out := &Changed{Added: c.insts}
	var inputs []*input
	var outputs []*output
	for _, inst := range c.there.insts {
		if c.stays(inst) {
			out.Kept = append(out.Kept, inst)
			continue
		}
		out.Removed = append(out.Removed, inst)
		inst.env.stopBy.set(by)
	}
	var waiting []<-chan struct{}
	for _, x := range c.gone {
		done := make(chan struct{})
		waiting = append(waiting, done)
		go func() {
			defer close(done)
			x.flush()
		}()
	}
	chains := slices.Clone(c.gone)
	for _, in := range c.there.inputs {
		if !c.stays(in.inst) {
			close(in.quit)
			inputs, chains = append(inputs, in), append(chains, m.chainsOf(in)...)
			waiting = append(waiting, in.done)
		}
	}
	for _, o := range c.there.outputs {
		if !c.stays(o.inst) {
			outputs, waiting = append(outputs, o), append(waiting, o.done)
		}
	}
	if !m.await(waiting, by) {
		giveUp(out.Removed, outputs)
		m.await(waiting, time.Now().Add(grace))
	}
	m.mu.Lock()
	m.inputs = slices.DeleteFunc(slices.Clone(m.inputs), func(in *input) bool { return slices.Contains(inputs, in) })
	m.outputs = slices.DeleteFunc(slices.Clone(m.outputs), func(o *output) bool { return slices.Contains(outputs, o) })
	removed := func(inst *Instance) bool { return slices.Contains(out.Removed, inst) }
	m.insts = slices.DeleteFunc(slices.Clone(m.insts), removed)
	m.opened = slices.DeleteFunc(slices.Clone(m.opened), removed)
	m.stacks = c.order
	m.changes++
	m.mu.Unlock()
	closeAll(out.Removed, chains)
	m.audit.look(out.Removed, true)
	m.audit.forget(out.Removed)
	for _, inst := range out.Removed {
		out.Left = append(out.Left, inst.snapshot(outputs))
	}
	return out
}

// await waits for all of them, until a time or until the machine is to stop. It reports whether all
// are done.
func (m *Machine) await(all []<-chan struct{}, by time.Time) bool {
	late := time.After(time.Until(by))
	for _, done := range all {
		select {
		case <-done:
		case <-late:
			return false
		}
	}
	return true
}
