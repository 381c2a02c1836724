// A chain is the part of a stack that runs on one goroutine, plugin by plugin.

package engine

import "time"

// step is one plugin at one place of a stack.
type step struct {
	inst     *Instance
	stage    Stage
	convs    []*conversion
	emitter  *Emitter      // the plugin makes new records; the rest of the stack hangs on the emitter
	port     *port         // the plugin is an output
	deal     *deal         // the rest of the stack runs as several copies
	own      bool          // the plugin counts what happens to its records itself
	requires []requirement // what an output needs in every row
	reads    []*column
	manual   Manual
	left     bool // what it had gathered, to an heir
}

// chain is the plugins that records of one shape go through on one goroutine.
type chain struct {
	seg   *segment
	steps []*step
	gone  bool // taken out of a running daemon; known to the input's goroutine
}

// run takes a batch through the chain to its end.
func (c *chain) run(b *Batch) {
	for _, s := range c.steps {
		n := b.n
		if n == 0 {
			return
		}
		for _, conv := range s.convs {
			conv.run(b)
		}
		if s.deal != nil {
			s.deal.run(b)
			return
		}
		st := s.inst.Stats
		st.In.Add(n)
		if s.port != nil {
			s.port.consume(b)
			return
		}
		if s.emitter != nil {
			s.emitter.clock, s.emitter.replay = b.clock, b.replay
			s.stage.Consume(b)
			return
		}
		b.dropped, b.excluded = 0, 0
		s.stage.Consume(b)
		st.Out.Add(b.n)
		if f := n - b.n - b.dropped - b.excluded; f > 0 {
			st.Filtered.Add(f)
		}
	}
}

// each calls f for every step that runs on this chain's goroutine, in stack order.
func (c *chain) each(f func(*step)) {
	for _, s := range c.steps {
		f(s)
		if s.emitter != nil {
			s.emitter.rest.each(f)
		}
	}
}

// layout lays out the batches of all its parts.
func (c *chain) layout() {
	c.seg.layout()
	for _, s := range c.steps {
		if s.emitter != nil {
			s.emitter.rest.layout()
		}
		if s.deal != nil {
			for _, sh := range s.deal.shards {
				sh.chain.layout()
			}
		}
	}
}

// start starts the goroutines of the chain's copies.
func (c *chain) start() {
	c.each(func(s *step) {
		if s.deal != nil {
			s.deal.start()
		}
	})
}

func (c *chain) tick(now time.Time) {
	c.each(func(s *step) {
		if s.emitter != nil && !s.emitter.replay {
			s.emitter.clock = now.UnixNano()
		}
		if t, ok := s.stage.(Ticker); ok && s.port == nil {
			t.Tick(now)
		}
		if s.emitter != nil {
			s.emitter.Flush()
			s.emitter.seg.tick(now)
		}
		switch {
		case s.deal != nil:
			s.deal.wake()
		case s.port != nil:
			s.port.tick(now)
		}
	})
}

// flush hands on all that the chain's plugins hold, from first to last, and tells the outputs that
// this feeder has ended.
func (c *chain) flush() {
	c.each(func(s *step) {
		if f, ok := s.stage.(Flusher); ok && s.port == nil {
			f.Flush()
		}
		switch {
		case s.emitter != nil:
			s.emitter.Flush()
		case s.deal != nil:
			s.deal.flush()
		case s.port != nil:
			s.port.out.feederDone()
		}
	})
}

func (c *chain) signal(sig Signal, seq int64) {
	c.each(func(s *step) {
		if x, ok := s.stage.(Signaler); ok && s.port == nil {
			x.Signal(sig)
		}
		if s.deal != nil {
			s.deal.signal(sig, seq)
		}
		if s.port != nil && s.port.out.queue == nil {
			s.port.out.signal(sig, seq)
		}
	})
}
