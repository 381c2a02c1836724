// Package uptime is the clock of NetFlow versions 5 and 9: flows have times in milliseconds of uptime, and the header of each datagram tells the time
// and the uptime of the same moment. A collector computes a flow's time as the header's time less the difference of the header's uptime
// and the flow's, modulo 2^32 ms (RFC 3954 section 5.1). So both count from one epoch, a whole number of milliseconds: then it finds a flow's times to the
// millisecond.
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

	replay bool
	newest int64 // of a replayed file
}

// Set is called for each batch; first is the first packet's time, where a flow cache says so. Live, uptimes count from the start of the host;
// those of a replayed file from its first packet.
func (c *Clock) Set(b *engine.Batch, first engine.Time, now time.Time) {
	if !b.Replay() {
		c.live(now)
		return
	}
	if !c.replay {
		c.replay, c.Epoch = true, int64(first)-int64(first)%int64(c.Unit)
	}
	c.newest = max(c.newest, b.Clock())
}

// live moves the epoch when somebody sets the clock, so that flows and headers move alike.
func (c *Clock) live(now time.Time) {
	epoch := now.UnixNano() - sinceBoot()
	if moved := time.Duration(epoch - c.Epoch); c.replay || moved.Abs() > time.Second {
		c.replay, c.Epoch = false, epoch-epoch%int64(time.Millisecond)
	}
}

// Replayed returns the newest packet time of the file that is replayed, nanoseconds since 1970, and whether there is one.
func (c *Clock) Replayed() (wall int64, ok bool) { return c.newest, c.replay }

// Time returns the time for a header that is sent now: the present, or a replayed file's.
func (c *Clock) Time(now time.Time) (wall int64) {
	if c.replay {
		return c.newest
	}
	c.live(now)
	return now.UnixNano()
}

// Millis returns a time, in nanoseconds since 1970, as uptime, and whether it lies before uptimes begin.
func (c *Clock) Millis(t int64) (ms uint32, before bool) {
	if t < c.Epoch {
		return 0, true
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
