// Package uptime is the clock of NetFlow versions 5 and 9: flows have times in milliseconds of
// uptime, and the header of each datagram tells the time and the uptime of the same moment. A
// collector computes a flow's time as the header's time less the difference of the header's uptime
// and the flow's, modulo 2^32 ms (RFC 3954 section 5.1). So both count from one epoch, a whole
// number of milliseconds: then it finds a flow's times to the millisecond.
package uptime

import (
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
)

// A Clock is what uptimes count from, and the time of a replayed file.
type Clock struct {
	Epoch int64         // when uptime was 0, nanoseconds since 1970
	Unit  time.Duration // of the header's time: a replayed file's epoch is a multiple of it
	// Finish closes the messages that are under construction, before the epoch that their uptimes
	// count from moves.
	Finish func()

	replay  bool
	present int64 // the epoch of live records, from when there were some
	header  int64 // the time that headers tell: of a replayed file's newest packet; live, about the present
}

const (
	// reach is how far from its header a flow's time may be: 2^32 ms are 49.7 days.
	reach = 49 * 24 * time.Hour
	// before is how long before its first packet a replayed file's uptimes begin. Collectors take
	// an uptime of 0 for no time at all, and a flow may be older than the packet that was read
	// first.
	before = 24 * time.Hour
)

// set is called for each batch; first is the first packet's time, where a flow cache says so. Live,
// uptimes count from the start of the host; those of a replayed file from a day before its first
// packet and, when the file has got as far as uptimes reach, from a day before its present one.
func (c *Clock) set(b *engine.Batch, first engine.Time, now time.Time) {
	if !b.Replay() {
		if c.moved(now) {
			c.Finish()
			c.live(now)
		}
		c.header = now.UnixNano()
		return
	}
	if !c.replay {
		c.Finish()
		c.replay, c.header = true, 0
		c.begin(int64(first))
	}
	newest := max(c.header, b.Clock())
	if newest-c.Epoch > int64(reach) {
		c.Finish()
		c.begin(newest)
	}
	c.header = newest
}

// begin has uptimes begin well before a time.
func (c *Clock) begin(t int64) {
	c.Epoch = t - int64(before)
	c.Epoch -= c.Epoch % int64(c.Unit)
}

// moved reports whether somebody has set the clock, or it was a file's until now.
func (c *Clock) moved(now time.Time) bool {
	return c.replay || time.Duration(now.UnixNano()-sinceBoot()-c.Epoch).Abs() > time.Second
}

// live has uptimes begin with the host.
func (c *Clock) live(now time.Time) {
	epoch := now.UnixNano() - sinceBoot()
	c.replay, c.Epoch = false, epoch-epoch%int64(time.Millisecond)
	c.present = c.Epoch
}

// Present returns the clock of live records, also where those of a file came since.
func (c *Clock) Present(now time.Time) Clock {
	p := *c
	if p.replay {
		if p.replay, p.Epoch = false, p.present; p.moved(now) {
			p.live(now)
		}
	}
	return p
}

// tells returns the times that a datagram with the present header can tell: after the one, until
// the other. No flow ends after its header: nfacctd takes the difference for one without a sign,
// and so for 49 days.
func (c *Clock) tells() (after, until engine.Time) {
	return engine.Time(max(c.Epoch, c.header-int64(reach))), engine.Time(c.header)
}

// around returns the clock of a datagram of its own, for a flow that the present one cannot tell.
func (c *Clock) around(start, end engine.Time) Clock {
	own := Clock{Unit: c.Unit, Finish: c.Finish, replay: true, header: int64(max(start, end))}
	own.begin(max(int64(min(start, end)), own.header-int64(reach)+int64(before)))
	return own
}

// Replayed returns the time of a replayed file's newest packet, nanoseconds since 1970, and whether
// there is one.
func (c *Clock) Replayed() (wall int64, ok bool) { return c.header, c.replay }

// Time returns the time for a header that is sent now: the present, or a replayed file's.
func (c *Clock) Time(now time.Time) (wall int64) {
	if c.replay {
		return c.header
	}
	if c.moved(now) {
		c.live(now)
	}
	return now.UnixNano()
}

// Millis returns a time, in nanoseconds since 1970, as uptime, and whether it lies before uptimes
// begin: then it is told as their first millisecond, since 0 means no time.
func (c *Clock) Millis(t int64) (ms uint32, before bool) {
	if t < c.Epoch+int64(time.Millisecond) {
		return 1, t < c.Epoch
	}
	return uint32((t - c.Epoch) / int64(time.Millisecond)), false
}

// sinceBoot returns the nanoseconds since the host started; unlike the wall clock it is never set.
func sinceBoot() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("CLOCK_BOOTTIME: " + err.Error()) // Linux has had it since 2.6.39
	}
	return ts.Nano()
}
