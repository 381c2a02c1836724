package netflow5

import (
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
)

// clock is what uptimes count from, and what the header says of the time. A collector computes a flow's time as the header's time less the
// difference of the header's uptime and the flow's, modulo 2^32 ms: both must be of one clock.
type clock struct {
	epoch  int64 // when uptime was 0, nanoseconds since 1970
	replay bool
	newest int64 // of a replayed file
}

// set is called for each batch. first is the first packet's time, where a flow cache says so.
func (c *clock) set(b *engine.Batch, first engine.Time, now time.Time) {
	if !b.Replay() {
		// By the wall clock of now, so that a step of the clock moves flows and header alike.
		c.replay, c.epoch = false, now.UnixNano()-uptime()
		return
	}
	if !c.replay {
		c.replay, c.epoch = true, int64(first)
	}
	c.newest = max(c.newest, b.Clock())
}

// uptime returns the nanoseconds since the host started; unlike the wall clock it is never set.
func uptime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("netflow5: CLOCK_BOOTTIME: " + err.Error()) // Linux has had it since 2.6.39
	}
	return ts.Nano()
}

// since returns a time as uptime in milliseconds, and whether it lies before uptimes begin.
func (c *clock) since(t engine.Time) (ms uint32, before bool) {
	d := int64(t) - c.epoch
	if d < 0 {
		return 0, true
	}
	return uint32(d / int64(time.Millisecond)), false
}

// putHeader writes the time of a replayed file. A live datagram gets its time when it is sent; until then its seconds are 0.
func (c *clock) putHeader(msg []byte) {
	if c.replay {
		put(msg, c.newest, c.newest-c.epoch)
	} else {
		be.PutUint32(msg[8:], 0)
	}
}

// stampLive writes the time of sending into a live datagram.
func stampLive(msg []byte, now time.Time) {
	if be.Uint32(msg[8:]) == 0 {
		put(msg, now.UnixNano(), uptime())
	}
}

func put(msg []byte, wall, up int64) {
	be.PutUint32(msg[4:], uint32(up/int64(time.Millisecond)))
	be.PutUint32(msg[8:], uint32(wall/int64(time.Second)))
	be.PutUint32(msg[12:], uint32(wall%int64(time.Second)))
}
