// FLOW's clock: how it is made of the times of packets, or of the machine's own clock.

package flow

import (
	"sync/atomic"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

// timeline is the clock that a stack's flows end by. It never goes back, whatever the times of
// packets do.
//
// Of a record of the past it is the newest packet's time. One packet that is alone with its time,
// far from those around it, does not move it. When times go back for good, as where a clock was set
// or files come in another order, the clock goes on from where it is, and what it says beyond the
// time of day is remembered. Of a live input it is the machine's monotonic clock.
//
// It decides by the packets in their order, on one goroutine, and so says the same for any number
// of workers.
type timeline struct {
	started bool
	clock   int64
	offset  int64 // clock - offset is the time of day
	step    uint8 // number of the steps so far, modulo 256
	longest int64 // no flow lives longer: as far as time can jump

	seen   int   // packets
	late   int   // votes for a step back
	lateOf int64 // what they say
	lateAt int   // number of the packet that voted first

	// Whether the time of a batch's last packet, far ahead, is one that has come or that of this
	// packet alone, the first of the next batch tells.
	doubt    int64 // what it says; 0: there is no such packet
	verdicts [256]verdict
	resolved atomic.Uint32 // how many have been found out

	live  bool
	since time.Time // when the clock was set, where it is the machine's

	first engine.Time // the first packet's; 0 until it has come
	final atomic.Int64
	total [256]atomic.Int64 // by step: how much time has been set back, all in all

	outliers, steps *engine.Counter
}

// instant is what the timeline says of a packet.
type instant struct {
	clock  int64 // the timeline's; as ^clock where the packet's own time is not to be believed
	offset int64
	step   uint8
	doubt  bool   // it is not yet known whether it is to be believed: the packet must wait
	number uint32 // of the doubt
}

// verdict is what an instant in doubt turned out to be.
type verdict struct{ clock, offset atomic.Int64 }

const (
	// near is how far the times of packets that follow each other may lie apart without a closer
	// look.
	near = int64(time.Minute)
	// votes, of as many packets in a row as recent says, set the time back: their median says so.
	votes, recent = 3, 5
	// slewed is how much wall clock and monotonic clock drift apart between two batches without
	// anybody having set one.
	slewed = int64(time.Second)
)

// wall reads the clock on the wall at a moment; a test sets that clock.
var wall = time.Time.UnixNano

func (f *flow) timeline(st *engine.Stats) *timeline {
	return &timeline{
		longest:  int64(f.active + f.inactive),
		outliers: st.Counter("time_outliers", "packets whose time is far from that of those around them; they count at the time of the packet before"),
		steps:    st.Counter("time_steps", "times that the clock of packets, or the machine's own, was set; flows go on, with their times moved along"),
	}
}

// observe says of each row of a batch what time it is.
func (l *timeline) observe(b *engine.Batch, from engine.Col[engine.Time], to *[engine.BatchSize]instant) {
	times, have, timeBit, rows := from.Of(b), b.Have(), from.Mask(), b.Rows()
	timeOf := func(r engine.Row) int64 {
		if have[r]&timeBit == 0 {
			return b.Clock()
		}
		return int64(times[r])
	}
	if l.first == 0 && len(rows) > 0 {
		l.first = engine.Time(timeOf(rows[0]))
	}
	if !b.Replay() {
		now := time.Now()
		l.liveAt(now, wall(now))
		for _, r := range rows {
			to[r] = instant{clock: l.clock, offset: l.offset, step: l.step}
		}
		l.final.Store(l.clock)
		return
	}
	if l.live { // a pipe that falls behind
		now := time.Now()
		l.liveAt(now, wall(now))
		l.live = false
	}
	if !l.started && len(rows) > 0 {
		l.started, l.clock = true, timeOf(rows[0])
	}
	if l.doubt != 0 && len(rows) > 0 {
		l.resolve(timeOf(rows[0]) >= l.doubt-near)
	}
	clock, offset, step := l.clock, l.offset, l.step
	for i, r := range rows {
		t := int64(times[r])
		if have[r]&timeBit == 0 {
			t = b.Clock()
		}
		d := t - (clock - offset)
		if uint64(d+near) <= uint64(2*near) {
			clock += max(d, 0)
			to[r] = instant{clock: clock, offset: offset, step: step}
			continue
		}
		l.clock = clock
		next, more := int64(0), i+1 < len(rows)
		if more {
			next = timeOf(rows[i+1])
		}
		to[r] = l.strange(l.seen+i, t, next, more)
		clock, offset, step = l.clock, l.offset, l.step
	}
	l.clock = clock
	l.seen += len(rows)
	l.final.Store(l.clock)
	if l.doubt != 0 {
		l.final.Store(l.clock + l.passed(l.doubt)) // unless another batch comes
	}
}

// passed is how much the clock moves on to a time ahead.
func (l *timeline) passed(t int64) int64 { return min(t-(l.clock-l.offset), l.longest) }

// passTo lets time pass.
func (l *timeline) passTo(t int64) {
	l.clock += l.passed(t)
	l.offset = l.clock - t
}

// resolve says what the packet in doubt was.
func (l *timeline) resolve(believed bool) {
	if believed {
		l.passTo(l.doubt)
	} else {
		l.outliers.Add(1)
	}
	l.doubt = 0
	v := &l.verdicts[l.resolved.Load()%uint32(len(l.verdicts))]
	v.clock.Store(l.clock)
	v.offset.Store(l.offset)
	l.resolved.Add(1)
}

// verdict returns when a packet happened that was in doubt, which was number n of those.
func (l *timeline) verdict(n uint32, t engine.Time) (clock int64, at engine.Time) {
	if l.resolved.Load() == n { // nothing came behind it
		return l.final.Load(), t
	}
	v := &l.verdicts[n%uint32(len(l.verdicts))]
	clock = v.clock.Load()
	return clock, engine.Time(clock - v.offset.Load())
}

// strange deals with packet n, whose time t is far from the clock's; next is the time of the packet
// behind it, if the batch has more.
func (l *timeline) strange(n int, t, next int64, more bool) instant {
	now := l.clock - l.offset
	if t > now {
		switch {
		case !more:
			l.doubt = t
			return instant{clock: ^l.clock, offset: l.offset, step: l.step, doubt: true, number: l.resolved.Load()}
		case next >= t-near:
			l.passTo(t)
			return instant{clock: l.clock, offset: l.offset, step: l.step}
		}
	} else {
		if apart := t - l.lateOf; l.late == 0 || n-l.lateAt >= recent || apart > near || apart < -near {
			l.late, l.lateOf, l.lateAt = 0, t, n
		}
		if l.late++; l.late == votes {
			l.setBack(now - t)
			return instant{clock: l.clock, offset: l.offset, step: l.step}
		}
	}
	l.outliers.Add(1)
	return instant{clock: ^l.clock, offset: l.offset, step: l.step}
}

// setBack sets the time of day back while the clock goes on. A time set forward is a negative one.
func (l *timeline) setBack(by int64) {
	total := l.total[l.step].Load() + by
	l.step++
	l.total[l.step].Store(total)
	l.offset += by
	l.late = 0
	l.steps.Add(1)
}

// liveAt takes what the machine's clocks say: the monotonic one, which moves the timeline, and that
// on the wall.
func (l *timeline) liveAt(now time.Time, wall int64) {
	switch {
	case !l.started:
		l.started, l.clock = true, wall
	case l.live:
		l.clock += int64(now.Sub(l.since))
		if by := l.clock - wall - l.offset; by > slewed || by < -slewed {
			l.setBack(by)
		}
	}
	if l.doubt != 0 {
		l.resolve(true)
	}
	l.live, l.since, l.offset = true, now, l.clock-wall
}

// instantKey carries what the timeline says from the dealer to the workers.
var instantKey = engine.NewKey[instant](engine.KeyInfo{Name: "flow.instant", Doc: "what the clock of flows is at a packet"})

// dealer is what one goroutine does in front of several workers: it reads the clock and chooses a
// worker. Whatever two addresses have with each other goes to one of them, so that fragments, and
// both directions of a biflow, come to their flow without having been decoded here.
type dealer struct {
	timeline *timeline
	tuple    engine.Col[key.Tuple]
	time     engine.Col[engine.Time]
	hash     engine.Col[uint32]
	instant  engine.Col[instant]
	dealt    uint64 // presence bit
	secret   secret
}

// The optional parts of the contract that it implements (engine/plugin.go).
var _ engine.Dealer = (*dealer)(nil)

// Hash implements engine.Dealer. Rows without a tuple go to the first worker, which counts them.
func (d *dealer) Hash(b *engine.Batch) *[engine.BatchSize]uint32 {
	d.timeline.observe(b, d.time, d.instant.Of(b))
	have, tuple, tupleBit, hash := b.Have(), d.tuple.Of(b), d.tuple.Mask(), d.hash.Of(b)
	for _, r := range b.Rows() {
		have[r] |= d.dealt
		hash[r] = 0
		if have[r]&tupleBit != 0 {
			hash[r] = d.secret.pair(&tuple[r])
		}
	}
	return hash
}
