// Emitters: how a filter that makes records of others hands them on.

package engine

// An Emitter takes the records that a filter makes of others, such as flows of packets, to the rest
// of the stack.
type Emitter struct {
	seg    *segment
	inst   *Instance
	rest   *chain
	b      *Batch
	clock  int64
	replay bool
}

// Batch returns the batch to fill next. It has Len rows and room for at least one more; write rows
// from Len on, then Fill.
func (e *Emitter) Batch() *Batch {
	if e.b == nil {
		e.b = e.seg.pool.get()
	} else if e.b.n == BatchSize {
		e.Flush()
		e.b = e.seg.pool.get()
	}
	return e.b
}

// Flush hands on what has been filled. The engine does so by itself about ten times a second and at
// the end; a filter needs to only when Batch is full, which Batch sees to.
func (e *Emitter) Flush() {
	b := e.b
	if b == nil {
		return
	}
	e.b = nil
	if b.n > 0 {
		b.clock, b.replay = e.clock, e.replay
		e.inst.Stats.Out.Add(b.n)
		e.rest.run(b)
	}
	b.release()
}
