// The machine: all stacks, from opening to the end.

package engine

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A StackSpec names the instances of one stack, input first.
type StackSpec struct {
	Name      string
	Instances []*Instance
}

// A Machine is a set of stacks, bound and ready to be opened and run.
type Machine struct {
	// Patience is how long an output may try to hand over what it holds when its inputs have ended
	// by themselves; Stop sets its own.
	Patience time.Duration

	log   *slog.Logger
	own   *OwnTraffic
	audit *audit

	changing sync.Mutex // held by whoever exchanges stacks
	mu       sync.Mutex // guards parts and running
	parts
	running int // inputs that have not ended and outputs that have not flushed

	deadline moment // by when a stop must be over; unset while running
	sigSeq   atomic.Int64
	stopping chan struct{}
	stopOnce sync.Once
	ended    chan struct{} // closed when every output has flushed
	watching sync.WaitGroup
}

// parts are what a machine consists of. The slices are exchanged as a whole, so that whoever has
// taken one under the lock may go through it.
type parts struct {
	inputs  []*input
	outputs []*output
	insts   []*Instance // in the order of the stacks, each once
	opened  []*Instance
	stacks  []*boundStack
	changes int // how often stacks were exchanged
}

// now returns the parts as they are.
func (m *Machine) now() parts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.parts
}

// instances returns those of all stacks.
func (m *Machine) instances() []*Instance { return m.now().insts }

// An OpenError says which instance could not be opened, and why.
type OpenError struct {
	Instance *Instance
	Err      error
}

func (e *OpenError) Error() string { return e.Instance.String() + ": " + e.Err.Error() }

func (e *OpenError) Unwrap() error { return e.Err }

// Open opens all instances: outputs, then filters, then inputs. If one fails, those already open
// are closed again, and the error is an OpenError.
func (m *Machine) Open() error {
	opened, err := open(m.insts, m.chains())
	m.opened = opened
	if err != nil {
		m.close()
	}
	return err
}

// chainsOf returns the beginnings of the stacks behind an input.
func (m *Machine) chainsOf(in *input) []*chain {
	m.mu.Lock()
	defer m.mu.Unlock()
	return in.chains
}

// chains returns the beginnings of all stacks behind their inputs.
func (m *Machine) chains() (all []*chain) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, in := range m.inputs {
		all = append(all, in.chains...)
	}
	return all
}

// open opens instances and the filters' stages in chains. It returns those that must be closed.
func open(insts []*Instance, chains []*chain) (opened []*Instance, err error) {
	for _, kind := range []Kind{OutputKind, FilterKind, InputKind} {
		for _, inst := range insts {
			if inst.Plugin.Kind() != kind {
				continue
			}
			opened = append(opened, inst)
			if o, ok := inst.impl.(Opener); ok {
				if err := o.Open(inst.env); err != nil {
					return opened, &OpenError{inst, err}
				}
			}
		}
		if kind != FilterKind {
			continue
		}
		for _, st := range stages(chains) {
			if o, ok := st.stage.(Opener); ok && st.inst.Plugin.Kind() == FilterKind {
				if err := o.Open(st.inst.env); err != nil {
					return opened, &OpenError{st.inst, err}
				}
			}
		}
	}
	return opened, nil
}

// Endless reports whether some input has no end of its own: one that is not a file.
func (m *Machine) Endless() bool {
	for _, in := range m.now().inputs {
		if in.endless() {
			return true
		}
	}
	return false
}

// Capabilities returns what instances go on needing when the daemon gives up root.
func (m *Machine) Capabilities() (list []int) {
	for _, inst := range m.instances() {
		if x, ok := inst.impl.(Privileged); ok {
			list = append(list, x.Capabilities()...)
		}
	}
	return list
}

// Start starts the goroutines.
func (m *Machine) Start() {
	m.stopping, m.ended = make(chan struct{}), make(chan struct{})
	m.start(m.inputs, m.outputs)
	m.watching.Go(m.watch)
}

// start starts the goroutines of inputs and outputs.
func (m *Machine) start(inputs []*input, outputs []*output) {
	m.mu.Lock()
	m.running += len(inputs) + len(outputs)
	m.mu.Unlock()
	for _, o := range outputs {
		o.done = make(chan struct{})
		if o.queue != nil {
			go o.run()
		}
	}
	for _, in := range inputs {
		in.done, in.quit = make(chan struct{}), make(chan struct{})
		for _, c := range in.chains {
			c.start()
		}
		go in.run()
	}
}

// left is told of each input that has ended and each output that has flushed.
func (m *Machine) left() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running--; m.running == 0 {
		close(m.ended)
	}
}

// Ended is closed when all inputs have come to their end and all outputs have flushed.
func (m *Machine) Ended() <-chan struct{} { return m.ended }

// Stop ends the inputs. What they have read goes through the stacks and out, until the timeout;
// then what is left is counted as dropped.
func (m *Machine) Stop(timeout time.Duration) {
	m.stopOnce.Do(func() {
		m.deadline.set(time.Now().Add(timeout))
		time.AfterFunc(timeout, m.giveUp)
		close(m.stopping)
	})
}

// giveUp counts what still waits in queues when the time is over, and ends what instances still
// try.
func (m *Machine) giveUp() {
	all := m.now()
	giveUp(all.insts, all.outputs)
}

func giveUp(insts []*Instance, outputs []*output) {
	for _, inst := range insts {
		inst.env.expire()
	}
	for _, o := range outputs {
		if o.queue != nil {
			o.queue.giveUp(o.inst.Stats.Drop("shutdown_timeout", "records still queued when the shutdown timeout ended"))
		}
	}
}

// Wait waits for the end of all stacks, at most until grace after the deadline that Stop has set,
// and closes every instance. It returns the first error that ended an input, if any.
func (m *Machine) Wait() error {
	select {
	case <-m.ended:
	case <-m.stopping:
		select {
		case <-m.ended:
		case <-time.After(time.Until(m.deadline.get()) + grace):
			m.log.Error("shutdown timeout: an output did not finish; what it held is lost",
				"remedy", "raise shutdown_timeout, or see which output hangs in the summary")
			return fmt.Errorf("shutdown timed out")
		}
	}
	m.changing.Lock() // a change that is under way sees the end, and does not begin another
	defer m.changing.Unlock()
	m.close()
	m.watching.Wait()
	m.audit.look(m.insts, true)
	for _, in := range m.inputs {
		if in.err != nil {
			return fmt.Errorf("%s: %w", in.inst, in.err)
		}
	}
	return nil
}

// grace is what an output that already writes may take beyond the deadline.
const grace = 500 * time.Millisecond

// close closes what was opened, from input to output.
func (m *Machine) close() {
	closeAll(m.opened, m.chains())
	m.mu.Lock() // the end of the shutdown timeout, and whoever asks, may look at the same time
	m.opened = nil
	m.mu.Unlock()
}

// closeAll closes instances and the filters' stages in chains.
func closeAll(insts []*Instance, chains []*chain) {
	for _, inst := range insts {
		inst.env.tasks.cancel()
	}
	for _, kind := range []Kind{InputKind, FilterKind, OutputKind} {
		for _, inst := range insts {
			if c, ok := inst.impl.(Closer); ok && inst.Plugin.Kind() == kind && inst.down.Load() == nil {
				if err := c.Close(); err != nil {
					inst.env.Log.Error("close", "error", err)
				}
			}
		}
		if kind == FilterKind {
			for _, st := range stages(chains) {
				if c, ok := st.stage.(Closer); ok && st.inst.Plugin.Kind() == kind {
					if err := c.Close(); err != nil {
						st.inst.env.Log.Error("close", "error", err)
					}
				}
			}
		}
	}
	for _, inst := range insts {
		inst.env.tasks.wg.Wait()
		inst.env.Limited().end()
	}
}

// Signal tells every instance of a signal, each between two batches.
func (m *Machine) Signal(sig Signal) {
	seq, all := m.sigSeq.Add(1), m.now()
	for _, in := range all.inputs {
		in.mail.put(func() { in.signal(sig, seq) })
	}
	for _, o := range all.outputs {
		if o.queue != nil {
			o.mail.put(func() { o.signal(sig, seq) })
		}
	}
}

// Snapshot reads all counters, without stopping anything.
func (m *Machine) Snapshot() []Snapshot {
	return m.now().snapshots()
}

func (p parts) snapshots() []Snapshot {
	out := make([]Snapshot, len(p.insts))
	for i, inst := range p.insts {
		out[i] = inst.snapshot(p.outputs)
	}
	return out
}

func (i *Instance) snapshot(outputs []*output) Snapshot {
	s := i.Stats.snapshot()
	s.ID, s.Plugin, s.Kind = i.ID, i.Plugin.Name, i.Plugin.Kind().String()
	i.vital(&s, outputs)
	return s
}

// stages returns every step of the chains that has a stage, copies included.
func stages(chains []*chain) []*step {
	var out []*step
	var walk func(*step)
	walk = func(s *step) {
		if s.stage != nil {
			out = append(out, s)
		}
		if s.deal != nil {
			for _, sh := range s.deal.shards {
				sh.chain.each(walk)
			}
		}
	}
	for _, c := range chains {
		c.each(walk)
	}
	return out
}
