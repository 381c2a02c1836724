// Package counters polls the kernel's named counters: what NFACCT and NFTCOUNTER share. Which counters
// there are, and how they are asked for, is theirs.
package counters

import (
	"errors"
	"io"
	"time"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/netns"
)

// A Counter is what one poll read of a counter.
type Counter struct {
	Family, Table   string // nftables'
	Name            string
	Packets, Octets uint64
	Quota           uint64
	Flags           uint32 // of the quota
	Limited         bool   // it has a quota
}

// A Reader reads counters. It is called from one goroutine at a time.
type Reader interface {
	// Read returns the counters, and how many messages described none. zero: they begin anew at 0.
	Read(zero bool) (list []Counter, malformed int, err error)
	Close() error
}

// A Poller is what an input embeds. It reads at intervals and follows the network namespace.
type Poller struct {
	// Dial opens a reader in the namespace that it is called in.
	Dial func() (Reader, error)
	// Remedy is what to do where the kernel refuses to tell.
	Remedy string
	Place  netns.Follower

	interval  time.Duration
	zero      bool
	timestamp bool

	columns columns
	env     *engine.Env
	reader  Reader // nil while the namespace is away
	blocks  *engine.Blocks

	due       time.Time // of the next poll
	polled    time.Time // when the pending counters were read
	pending   []Counter // read, not yet handed on
	malformed int       // of the poll, not yet counted
	stopping  bool
	dropped   *engine.Drop
	failed    *engine.Counter
	late      *engine.Counter
}

// The optional parts of the contract that an input has from it (engine/plugin.go).
var (
	_ engine.Validator     = (*Poller)(nil)
	_ engine.Opener        = (*Poller)(nil)
	_ engine.Ticker        = (*Poller)(nil)
	_ engine.Closer        = (*Poller)(nil)
	_ engine.Stopper       = (*Poller)(nil)
	_ engine.Signaler      = (*Poller)(nil)
	_ engine.Live          = (*Poller)(nil)
	_ engine.Backpressured = (*Poller)(nil)
	_ engine.Counting      = (*Poller)(nil)
)

// Options declares the settings.
func (p *Poller) Options(o *engine.Options) {
	o.Seconds(&p.interval, "pollinterval", 0, "time between polls; it must be set")
	o.Bool(&p.zero, "zerocounter", true, "set the counters to zero when reading them, so that each record holds what "+
		"came since the one before; off: totals")
	o.Bool(&p.timestamp, "timestamp", false, "give oob.time, the time of the poll")
	p.Place.Options(o, "read")
}

// Validate checks the settings.
func (p *Poller) Validate() error {
	if p.interval <= 0 {
		return errors.New("pollinterval: must be set, to the seconds between two polls")
	}
	return nil
}

// Backpressure tells that the kernel keeps counting while nobody reads.
func (p *Poller) Backpressure() bool { return true }

// Counts implements engine.Counting.
func (p *Poller) Counts() engine.Counts {
	if p.zero {
		return engine.CountsDelta
	}
	return engine.CountsTotal
}

// Open opens the reader.
func (p *Poller) Open(env *engine.Env) error {
	p.env, p.blocks = env, engine.NewBlocks(blockSize)
	p.dropped = env.Stats.Drop("malformed", "messages that do not describe a counter")
	p.failed = env.Stats.Counter("failed_polls", "times that the counters could not be read")
	p.late = env.Stats.Counter("late_polls", "polls left out because the records of the one before were not taken")
	return p.Place.Open(env, p.begin)
}

// begin opens the reader in the namespace that it is called in.
func (p *Poller) begin() (err error) {
	p.due = time.Now().Add(p.interval)
	p.reader, err = p.Dial()
	return err
}

// leave reads a last time what was counted in a namespace that is no more, and returns true when
// that is done.
func (p *Poller) leave() bool {
	if p.reader == nil {
		return true
	}
	if p.left() { // of the poll before
		return false
	}
	p.poll(time.Now())
	if err := p.Close(); err != nil {
		p.env.Log.Warn("leave the network namespace", "error", err)
	}
	return true
}

// left reports whether something of the last poll is still to be handed on.
func (p *Poller) left() bool { return len(p.pending) > 0 || p.malformed > 0 }

// Tick follows the namespace.
func (p *Poller) Tick(now time.Time) {
	if !p.stopping {
		p.Place.Tick(now, p.leave, p.begin)
	}
}

// Read hands on the counters of the last poll, or waits for the next one.
func (p *Poller) Read(b *engine.Batch, deadline time.Time) error {
	if !p.left() {
		if p.stopping {
			return io.EOF
		}
		now := time.Now()
		if p.reader == nil {
			time.Sleep(deadline.Sub(now))
			return nil
		}
		if now.Before(p.due) {
			time.Sleep(min(p.due.Sub(now), deadline.Sub(now)))
			return nil
		}
		p.poll(now)
	}
	p.fill(b)
	return nil
}

// poll reads all counters. Polls keep to their interval; those whose time passed meanwhile are left
// out.
func (p *Poller) poll(now time.Time) {
	for p.due = p.due.Add(p.interval); !p.due.After(now); p.due = p.due.Add(p.interval) {
		p.late.Add(1)
	}
	list, malformed, err := p.reader.Read(p.zero)
	if err != nil {
		p.failed.Add(1)
		p.env.Limited().Error("read the counters", "error", err, "remedy", p.Remedy)
	}
	p.pending, p.malformed, p.polled = list, malformed, now
}

// Signal polls at once on SIGUSR2.
func (p *Poller) Signal(s engine.Signal) {
	if s == engine.Dump {
		p.due = time.Now()
	}
}

// Stop ends the input. What was counted since the last poll stays in the kernel, for the next
// reader.
func (p *Poller) Stop() { p.stopping = true }

// Live implements engine.Live: what it reads has no end of its own.
func (p *Poller) Live() bool { return true }

// Close closes the reader.
func (p *Poller) Close() error {
	if p.reader == nil {
		return nil
	}
	err := p.reader.Close()
	p.reader = nil
	return err
}
