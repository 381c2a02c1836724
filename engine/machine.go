// The machine: all stacks, from opening to the end.

package engine

import (
	"context"
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

	log         *slog.Logger
	own         *OwnTraffic
	audit       *audit
	tasks       tasks
	inputs      []*input
	outputs     []*output
	insts       []*Instance // in the order of the stacks, each once
	opened      []*Instance
	stacks      []*Stack
	segs        []*segment
	conditional []conditional

	deadline atomic.Int64 // by when a stop must be over, nanoseconds since 1970; 0 while running
	sigSeq   atomic.Int64
	stopping chan struct{}
	stopOnce sync.Once
	ended    chan struct{} // closed when every output has flushed
	watching sync.WaitGroup
}

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
	m.tasks.ctx, m.tasks.cancel = context.WithCancel(context.Background())
	for _, kind := range []Kind{OutputKind, FilterKind, InputKind} {
		for _, inst := range m.insts {
			if inst.Plugin.Kind() != kind {
				continue
			}
			m.opened = append(m.opened, inst)
			if o, ok := inst.impl.(Opener); ok {
				if err := o.Open(inst.env); err != nil {
					m.close()
					return &OpenError{inst, err}
				}
			}
		}
		if kind != FilterKind {
			continue
		}
		for _, st := range m.stages() {
			if o, ok := st.stage.(Opener); ok && st.inst.Plugin.Kind() == FilterKind {
				if err := o.Open(st.inst.env); err != nil {
					m.close()
					return &OpenError{st.inst, err}
				}
			}
		}
	}
	return nil
}

// Endless reports whether some input has no end of its own: one that is not a file.
func (m *Machine) Endless() bool {
	for _, in := range m.inputs {
		live, _ := in.impl.(Live)
		file, _ := in.impl.(Backpressured)
		if live != nil && live.Live() || file == nil || !file.Backpressure() {
			return true
		}
	}
	return false
}

// Start starts the goroutines.
func (m *Machine) Start() {
	m.stopping, m.ended = make(chan struct{}), make(chan struct{})
	for _, o := range m.outputs {
		o.done = make(chan struct{})
		if o.queue != nil {
			go o.run()
		}
	}
	for _, in := range m.inputs {
		in.done = make(chan struct{})
		for _, c := range in.chains {
			c.each(func(s *step) {
				if s.deal != nil {
					s.deal.start()
				}
			})
		}
		go in.run()
	}
	go func() {
		for _, in := range m.inputs {
			<-in.done
		}
		for _, o := range m.outputs {
			<-o.done
		}
		close(m.ended)
	}()
	m.watching.Go(m.watch)
}

// Ended is closed when all inputs have come to their end and all outputs have flushed.
func (m *Machine) Ended() <-chan struct{} { return m.ended }

// Stop ends the inputs. What they have read goes through the stacks and out, until the timeout;
// then what is left is counted as dropped.
func (m *Machine) Stop(timeout time.Duration) {
	m.stopOnce.Do(func() {
		m.deadline.Store(time.Now().Add(timeout).UnixNano())
		time.AfterFunc(timeout, m.giveUp)
		close(m.stopping)
	})
}

// giveUp counts what still waits in queues when the time is over, and ends what instances still
// try.
func (m *Machine) giveUp() {
	for _, inst := range m.insts {
		inst.env.expire()
	}
	for _, o := range m.outputs {
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
		case <-time.After(time.Until(time.Unix(0, m.deadline.Load())) + grace):
			m.log.Error("shutdown timeout: an output did not finish; what it held is lost",
				"remedy", "raise shutdown_timeout, or see which output hangs in the summary")
			return fmt.Errorf("shutdown timed out")
		}
	}
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
	m.tasks.cancel()
	for _, kind := range []Kind{InputKind, FilterKind, OutputKind} {
		for _, inst := range m.opened {
			if c, ok := inst.impl.(Closer); ok && inst.Plugin.Kind() == kind && inst.down.Load() == nil {
				if err := c.Close(); err != nil {
					inst.env.Log.Error("close", "error", err)
				}
			}
		}
		if kind == FilterKind {
			for _, st := range m.stages() {
				if c, ok := st.stage.(Closer); ok && st.inst.Plugin.Kind() == kind {
					if err := c.Close(); err != nil {
						st.inst.env.Log.Error("close", "error", err)
					}
				}
			}
		}
	}
	m.opened = nil
	m.tasks.wg.Wait()
	for _, inst := range m.insts {
		inst.env.Limited().end()
	}
}

// Signal tells every instance of a signal, each between two batches.
func (m *Machine) Signal(sig Signal) {
	seq := m.sigSeq.Add(1)
	for _, in := range m.inputs {
		in.mail.put(func() { in.signal(sig, seq) })
	}
	for _, o := range m.outputs {
		if o.queue != nil {
			o.mail.put(func() { o.signal(sig, seq) })
		}
	}
}

// Snapshot reads all counters, without stopping anything.
func (m *Machine) Snapshot() []Snapshot {
	out := make([]Snapshot, len(m.insts))
	for i, inst := range m.insts {
		out[i] = inst.Stats.snapshot()
		out[i].ID, out[i].Plugin, out[i].Kind = inst.ID, inst.Plugin.Name, inst.Plugin.Kind().String()
		m.vital(&out[i], inst)
	}
	return out
}

// stages returns every step of every stack that has a stage, copies included.
func (m *Machine) stages() []*step {
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
	for _, in := range m.inputs {
		for _, c := range in.chains {
			c.each(walk)
		}
	}
	return out
}
