// The running side of an input: its goroutine, and how its batches come to the stacks.

package engine

import (
	"errors"
	"io"
	"time"
)

// input is the running side of one input instance: one goroutine, which reads batches and runs them
// through the stacks that begin with it.
type input struct {
	m      *Machine
	inst   *Instance
	impl   Input
	seg    *segment
	chains []*chain // of which one at most runs on the input's own batches; the others get forks
	given  []*column
	bits   int // presence bits of its own keys; the stack on its batches has more, which forks do not see
	manual Manual
	mail   mailbox
	quit   chan struct{} // closed when the input is taken out of a running daemon
	done   chan struct{}
	err    error
}

// endless reports whether the input has no end of its own, or loses what it cannot wait with.
func (in *input) endless() bool {
	live, _ := in.impl.(Live)
	file, _ := in.impl.(Backpressured)
	return live != nil && live.Live() || file == nil || !file.Backpressure()
}

func (in *input) run() {
	defer close(in.done)
	err := in.loop()
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
		text := err.Error()
		in.inst.pulse.failed.Store(&text)
		in.inst.env.Log.Error("input ends", "error", err)
	}
	in.mail.close()
	for _, c := range in.chains {
		c.flush()
	}
	in.m.left()
}

// asked reports whether the input is to end.
func (in *input) asked() bool {
	select {
	case <-in.m.stopping:
	case <-in.quit:
	default:
		return false
	}
	return true
}

func (in *input) loop() error {
	var next time.Time
	stopping := false
	now := time.Now()
	for {
		if !now.Before(next) {
			in.inst.pulse.turned.set(now)
			in.tick(now)
			next = now.Add(tickEvery)
			if in.asked() {
				s, ok := in.impl.(Stopper)
				if !ok || !now.Before(in.inst.env.StopBy()) {
					return nil
				}
				if !stopping {
					s.Stop()
				}
				stopping = true
			}
		}
		in.mail.run()
		b := in.seg.pool.get()
		b.dropped, b.filtered, b.excluded = 0, 0, 0
		err := in.impl.Read(b, in.mail.until(now, next))
		now = time.Now()
		if !b.replay {
			b.clock = now.UnixNano()
		}
		in.count(b)
		if b.n > 0 {
			in.dispatch(b)
			in.inst.pulse.batches.add(time.Since(now))
		}
		b.release()
		switch {
		case err == nil:
		case stopping || !in.mendable(err):
			return err
		case !in.revive(err):
			return in.stillDown()
		default:
			next = time.Time{}
		}
	}
}

func (in *input) count(b *Batch) {
	if all := b.n + b.dropped + b.filtered + b.excluded; all > 0 {
		st := in.inst.Stats
		st.Made.Add(all)
		st.Out.Add(b.n)
		if b.filtered > 0 {
			st.Filtered.Add(b.filtered)
		}
	}
}

func (in *input) dispatch(b *Batch) {
	var own *chain
	for _, c := range in.chains {
		if c.seg == in.seg {
			own = c
			continue
		}
		f := c.seg.fork(b)
		c.run(f)
		f.release()
	}
	if own != nil { // last, since its filters write into the batch
		own.run(b)
	}
}

func (in *input) tick(now time.Time) {
	if t, ok := in.impl.(Ticker); ok {
		t.Tick(now)
	}
	in.seg.tick(now)
	for _, c := range in.chains {
		c.seg.tick(now)
		c.tick(now)
	}
}

func (in *input) signal(sig Signal, seq int64) {
	if s, ok := in.impl.(Signaler); ok && in.inst.down.Load() == nil {
		s.Signal(sig)
	}
	for _, c := range in.chains {
		c.signal(sig, seq)
	}
}
