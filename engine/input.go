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
	shared bool // several stacks: each gets a fork of the batch
	chains []*chain
	given  []*column
	manual Manual
	mail   mailbox
	done   chan struct{}
	err    error
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
}

func (in *input) loop() error {
	var next time.Time
	stopping := false
	now := time.Now()
	for {
		if !now.Before(next) {
			in.inst.pulse.turned.Store(now.UnixNano())
			in.tick(now)
			next = now.Add(tickEvery)
			select {
			case <-in.m.stopping:
				if s, ok := in.impl.(Stopper); ok && now.UnixNano() < in.m.deadline.Load() {
					if !stopping {
						s.Stop()
					}
					stopping = true
				} else {
					return nil
				}
			default:
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
	if !in.shared {
		in.chains[0].run(b)
		return
	}
	for _, c := range in.chains {
		f := c.seg.fork(b)
		c.run(f)
		f.release()
	}
}

func (in *input) tick(now time.Time) {
	if t, ok := in.impl.(Ticker); ok {
		t.Tick(now)
	}
	for _, c := range in.chains {
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
