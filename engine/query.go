// Questions to running instances, answered by the goroutines that own them.

package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrNotAsked is what an instance answers to a question that is not for it.
var ErrNotAsked = errors.New("the question is not for this plugin")

// ErrLater is what an instance answers that has to read something first, such as the kernel's
// counters: the records go on, and it is soon asked for the same chunk again.
var ErrLater = errors.New("the answer is being gathered")

const (
	// busyAfter is how long an instance may take to come to a question: it may wait for an output.
	busyAfter = 5 * time.Second
	// laterPause is the time until one that answered ErrLater is asked again.
	laterPause = time.Millisecond
)

// Query asks all instances that answer questions, one after the other. An instance answers in
// chunks, between two batches of its records; after each, chunk is called on the goroutine that
// asks, with the time that the instance worked on it. It may take its time: the records do not wait
// for it. Its error ends the question. A question that is a [Choosy] is put to whom it wants.
//
// An instance whose records have come to their end has nothing to tell. One that cannot answer does
// not keep the others from it: the error then joins what each of them says. It is ErrNotAsked if
// nobody knows the question.
func (m *Machine) Query(ctx context.Context, q any, chunk func(of *Instance, took time.Duration) error) error {
	var troubles []error
	known := false
	choosy, _ := q.(Choosy)
	for _, a := range m.askable() {
		if choosy != nil && !choosy.Wants(a.inst) {
			continue
		}
		err, ended := a.ask(ctx, m, q, chunk)
		switch {
		case ended:
			return err
		case errors.Is(err, ErrNotAsked):
			continue
		case err != nil:
			troubles = append(troubles, fmt.Errorf("%s %w", a.inst, err))
		}
		known = true
	}
	if !known {
		return ErrNotAsked
	}
	return errors.Join(troubles...)
}

// A Choosy question is not for all instances.
type Choosy interface{ Wants(of *Instance) bool }

// askable is an instance, or one of its stages, that answers questions.
type askable struct {
	inst  *Instance
	impl  any
	mail  *mailbox
	chain *chain // that a stage is in
}

// askable lists who answers questions, in the order of the stacks.
func (m *Machine) askable() (list []askable) {
	for _, in := range m.now().inputs {
		list = addAskable(list, in.inst, in.impl, &in.mail, nil)
		for _, c := range m.chainsOf(in) {
			c.each(func(s *step) {
				list = addAskable(list, s.inst, s.stage, &in.mail, c)
				if s.deal == nil {
					return
				}
				for _, sh := range s.deal.shards {
					sh.chain.each(func(s *step) { list = addAskable(list, s.inst, s.stage, &sh.mail, nil) })
				}
			})
		}
	}
	return list
}

func addAskable(list []askable, inst *Instance, impl any, mail *mailbox, c *chain) []askable {
	if _, ok := impl.(Querier); ok {
		return append(list, askable{inst, impl, mail, c})
	}
	return list
}

// ask puts the question to one. ended says that the whole question is over.
func (a *askable) ask(ctx context.Context, m *Machine, q any,
	chunk func(*Instance, time.Duration) error,
) (err error, ended bool) {
	a.mail.asking.Add(1)
	defer a.mail.asking.Add(-1)
	for from := int64(0); from >= 0; {
		w := &asked{done: make(chan struct{})}
		if !a.mail.put(func() { w.run(a, q, &from) }) {
			return nil, false // its records have come to their end
		}
		if err, over := w.wait(ctx, m); err != nil {
			return err, over
		}
		switch {
		case errors.Is(w.err, ErrLater):
			select {
			case <-time.After(laterPause):
				continue
			case <-ctx.Done():
				return ctx.Err(), true
			}
		case w.err != nil:
			return w.err, false
		}
		if err := chunk(a.inst, w.took); err != nil {
			return err, true
		}
	}
	return nil, false
}

// asked is one chunk of an answer, which its owner makes unless whoever asks has gone.
type asked struct {
	taken atomic.Bool // by its owner, or by whoever asks and waits no longer
	done  chan struct{}
	took  time.Duration
	err   error
}

func (w *asked) run(a *askable, q any, from *int64) {
	if w.taken.Swap(true) {
		return
	}
	defer close(w.done)
	if down := a.inst.down.Load(); down != nil {
		w.err = fmt.Errorf("is down: %s", *down)
		return
	}
	if a.chain != nil && a.chain.gone {
		*from = -1 // it was taken out since
		return
	}
	began := time.Now()
	*from, w.err = a.impl.(Querier).Query(q, *from)
	w.took = time.Since(began)
}

// wait waits for the chunk. What has begun is waited for: it takes no time, and writes where the
// question says.
func (w *asked) wait(ctx context.Context, m *Machine) (err error, over bool) {
	timer := time.NewTimer(busyAfter)
	defer timer.Stop()
	select {
	case <-w.done:
		return nil, false
	case <-ctx.Done():
		err, over = ctx.Err(), true
	case <-timer.C:
		err = errors.New("does not answer: it waits for an output that takes no more records")
	case <-m.ended:
		return nil, false // it was the last to run, and has run all that it was sent
	}
	if w.taken.Swap(true) {
		<-w.done
		return nil, false
	}
	return err, over
}
