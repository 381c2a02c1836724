// The running side of an output, with or without a queue.

package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// tickEvery is how often plugins are told the time, and so the longest that a Read may wait.
const tickEvery = 100 * time.Millisecond

// output is the running side of one output instance: opened once, fed by every stack that names it.
// With a queue it has a goroutine of its own; without one it runs on its feeders', one at a time.
type output struct {
	m       *Machine
	inst    *Instance
	queue   *queue
	mu      sync.Mutex // guards the instance where several goroutines feed it without a queue
	feeders atomic.Int32
	ticked  time.Time
	sigSeq  int64
	done    chan struct{} // closed when the instance has flushed
	mail    mailbox
}

// port is where one stack ends in an output.
type port struct {
	out   *output
	seg   *segment
	stage Stage
	reads []*column // what the output reads: all that a copy of a row must have
	own   bool
	block bool // a full queue stalls this stack's input instead of dropping
	room  int  // rows that may wait in the queue
	needs required
}

// consume takes the rows of b that have what the output requires.
func (p *port) consume(b *Batch) {
	if p.needs.met(b) {
		p.take(b)
		return
	}
	v := p.seg.view(b)
	p.needs.pick(b, v)
	if v.n > 0 {
		p.take(v)
	}
	v.release()
}

func (p *port) take(b *Batch) {
	if p.out.queue != nil {
		p.out.queue.push(p, b)
		return
	}
	p.out.mu.Lock()
	p.deliver(b)
	p.out.mu.Unlock()
}

func (p *port) deliver(b *Batch) {
	n := b.n
	b.dropped, b.excluded = 0, 0
	p.stage.Consume(b)
	if !p.own {
		p.out.inst.Stats.Out.Add(n - b.dropped - b.excluded)
	}
}

// tick tells an output without a queue the time, once per interval however many feeders it has.
func (p *port) tick(now time.Time) {
	if p.out.queue != nil {
		p.out.queue.say(p.out.inst.env.Log, now)
		return
	}
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	if now.Sub(p.out.ticked) >= tickEvery/2 {
		p.out.tick(now)
	}
}

// lock takes the instance's mutex, unless it is held for long by a write that does not end.
func (o *output) lock() bool {
	for end := time.Now().Add(bindPatience); !o.mu.TryLock(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// bindPatience is how long binding a stack waits for an output that is busy. Its input waits, too.
const bindPatience = 2 * time.Second

func (o *output) tick(now time.Time) {
	o.ticked = now
	if t, ok := o.inst.impl.(Ticker); ok {
		t.Tick(now)
	}
}

// signal passes a signal on once, whichever feeder brings it.
func (o *output) signal(sig Signal, seq int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if x, ok := o.inst.impl.(Signaler); ok && o.sigSeq != seq {
		x.Signal(sig)
	}
	o.sigSeq = seq
}

// feederDone is called by each feeder at its end. The last one lets the output flush.
func (o *output) feederDone() {
	if o.feeders.Add(-1) != 0 {
		return
	}
	if o.queue != nil {
		o.queue.close()
		return
	}
	o.finish()
}

func (o *output) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f, ok := o.inst.impl.(Flusher); ok {
		env := o.inst.env
		env.flushBy.set(time.Now().Add(o.m.Patience))
		late := time.AfterFunc(o.m.Patience, func() {
			if !time.Now().Before(env.Deadline()) {
				env.expire()
			}
		})
		defer late.Stop()
		f.Flush()
	}
	close(o.done)
	o.m.left()
}

// run feeds the instance from its queue until the queue is closed and empty.
func (o *output) run() {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		it, state := o.queue.pop()
		switch state {
		case gotItem:
			began := time.Now()
			o.mu.Lock()
			it.port.deliver(it.b)
			o.mu.Unlock()
			o.inst.pulse.batches.add(time.Since(began))
			o.inst.Stats.Held.Add(-it.n)
			it.b.release()
		case queueEmpty:
			select {
			case <-o.queue.wake:
			case <-ticker.C:
			}
		case queueClosed:
			o.mail.run()
			o.finish()
			return
		}
		if now := time.Now(); now.Sub(o.ticked) >= tickEvery {
			o.inst.pulse.turned.set(now)
			o.mu.Lock()
			o.tick(now)
			o.mu.Unlock()
		}
		o.mail.run()
	}
}
