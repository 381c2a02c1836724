// The contract between an output, the engine and a target.

package sink

import (
	"errors"
	"os"
	"time"

	"ulogd/engine"
)

// A Sink is what an output embeds: its methods are those that the engine calls.
type Sink struct {
	writers []*Writer
	env     *engine.Env
	user    int // who the daemon was when the targets were opened
}

// What the engine finds in an output that embeds a Sink.
var (
	_ engine.Blocker    = (*Sink)(nil)
	_ engine.Doctored   = (*Sink)(nil)
	_ engine.Privileged = (*Sink)(nil)
	_ engine.Opener     = (*Sink)(nil)
	_ engine.Ticker     = (*Sink)(nil)
	_ engine.Flusher    = (*Sink)(nil)
	_ engine.Signaler   = (*Sink)(nil)
	_ engine.Closer     = (*Sink)(nil)
)

// A Target is where records go: a file, a peer, a session. Its methods are called from one
// goroutine at a time.
type Target interface {
	// Open acquires what is needed. It sets the buffer's Limit and Prompt, and keeps the buffer:
	// that is where records are from then on.
	Open(b *Buffer) error
	// Write writes the buffer's records, in order, and takes those out that it has dealt with:
	// Written and the Drop methods count them. What stays is held. It waits only where the buffer
	// is Patient, and not beyond the Env's Deadline.
	Write()
	// Tick is called about ten times a second.
	Tick(now time.Time)
	// Flush writes everything, or drops it at the Deadline.
	Flush()
	// Reopen is SIGHUP: it opens the path anew, or connects anew.
	Reopen()
	// Close writes and drops what is left. It may be called without Open.
	Close() error
	// Doctor says what will go wrong, without Open.
	Doctor(d *engine.DoctorReport)
	// A target may have Again, too, which reports why Reopen would fail, and changes nothing; and Capabilities, as
	// engine.Privileged has it.
}

// Bind ties a stack to a target and returns what its records are written to. Stacks that bind the
// same target share it.
func (s *Sink) Bind(p *engine.Binder, t Target) *Writer {
	p.OwnAccounting()
	w := s.Add(t, p.Settings().Queue > 0 || p.Waits())
	if s.env != nil && w.buf.Env == nil { // a stack that is added while the output runs
		w.buf.Env = s.env
		if err := t.Open(&w.buf); err != nil {
			p.Problem("%v", err)
		}
	}
	return w
}

// Add is Bind without a stack. waits says whether records may wait for the other side.
func (s *Sink) Add(t Target, waits bool) *Writer {
	for _, w := range s.writers {
		if w.target == t {
			w.buf.Patient = w.buf.Patient && waits
			return w
		}
	}
	w := &Writer{target: t, buf: Buffer{Patient: waits}}
	s.writers = append(s.writers, w)
	return w
}

// Blocks has the engine give the output a queue, unless the configuration says otherwise.
func (s *Sink) Blocks() bool { return true }

// Doctor has each target say what will go wrong.
func (s *Sink) Doctor(d *engine.DoctorReport) {
	for _, w := range s.writers {
		w.target.Doctor(d)
	}
}

// Capabilities returns what the targets need under -u.
func (s *Sink) Capabilities() (list []int) {
	for _, w := range s.writers {
		if t, ok := w.target.(engine.Privileged); ok {
			list = append(list, t.Capabilities()...)
		}
	}
	return list
}

// Open opens the targets.
func (s *Sink) Open(env *engine.Env) error {
	s.env, s.user = env, os.Geteuid()
	for _, w := range s.writers {
		w.buf.Env = env
		if err := w.target.Open(&w.buf); err != nil {
			return err
		}
	}
	return nil
}

// each calls f for each target that was opened, and counts what its buffer then holds.
func (s *Sink) each(f func(t Target)) {
	for _, w := range s.writers {
		if w.buf.Env != nil {
			f(w.target)
			w.buf.settle()
		}
	}
}

// Tick writes what has gathered.
func (s *Sink) Tick(now time.Time) {
	if user := os.Geteuid(); user != s.user {
		s.user = user
		s.again()
	}
	s.each(func(t Target) { t.Tick(now) })
}

// again tries what SIGHUP will do, now that the daemon has become another user: an operator hears
// of it at the start, and not when it is needed.
func (s *Sink) again() {
	for _, w := range s.writers {
		if t, ok := w.target.(interface{ Again() error }); ok {
			if err := t.Again(); err != nil {
				s.env.Log.Warn("SIGHUP will not work: what it opens anew is not for the user that the daemon has become", "error", err)
			}
		}
	}
}

// Flush writes everything.
func (s *Sink) Flush() { s.each(Target.Flush) }

// Signal opens files anew and connects anew.
func (s *Sink) Signal(sig engine.Signal) {
	if sig == engine.Reopen {
		s.each(Target.Reopen)
	}
}

// Close closes the targets.
func (s *Sink) Close() error {
	var all error
	s.each(func(t Target) { all = errors.Join(all, t.Close()) })
	return all
}

// A Writer takes the records of an output. A stage has its own or shares it with others; it is used
// from one goroutine at a time.
type Writer struct {
	target Target
	buf    Buffer
}

// Begin returns the buffer that records are appended to.
func (w *Writer) Begin() []byte {
	if w.buf.Env == nil {
		panic("sink: the output is not open; it must embed the Sink that it binds")
	}
	return w.buf.Data
}

// End says that buf ends with a whole record. It returns the buffer to go on with.
func (w *Writer) End(buf []byte) []byte {
	w.buf.Ends = append(w.buf.Ends, len(buf))
	if len(buf) < w.buf.Limit {
		return buf
	}
	w.buf.Data = buf
	w.target.Write()
	return w.buf.Data
}

// Commit ends the records of a batch.
func (w *Writer) Commit(buf []byte) {
	w.buf.Data = buf
	if w.buf.Prompt {
		w.target.Write()
	}
	w.buf.settle()
}

// Epoch changes when a file is begun or records were left out: what later records refer to must
// then be written again.
func (w *Writer) Epoch() int { return w.buf.Epoch }
