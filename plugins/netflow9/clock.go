// The time that datagrams tell.

package netflow9

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
)

// clock is what uptimes count from, and what a replayed file's headers say of the time. A collector computes a flow's time as the header's time less
// the difference of the header's uptime and the flow's, modulo 2^32 ms (RFC 3954 section 5.1).
type clock struct {
	epoch  int64 // when uptime was 0, nanoseconds since 1970
	replay bool
	newest int64 // of a replayed file
}

// set is called for each batch; first is the first packet's time, where a flow cache says so. Headers and flows count from one epoch, a whole number of
// milliseconds, so that a collector finds a flow's times to the millisecond. It moves when somebody sets the clock.
func (c *clock) set(b *engine.Batch, first engine.Time, now time.Time) {
	if !b.Replay() {
		c.live(now)
		return
	}
	if !c.replay {
		c.replay, c.epoch = true, int64(first)-int64(first)%int64(time.Second)
	}
	c.newest = max(c.newest, b.Clock())
}

func (c *clock) live(now time.Time) {
	epoch := now.UnixNano() - uptime()
	if moved := time.Duration(epoch - c.epoch); c.replay || moved.Abs() > time.Second {
		c.replay, c.epoch = false, epoch-epoch%int64(time.Millisecond)
	}
}

// uptime returns the nanoseconds since the host started; unlike the wall clock it is never set.
func uptime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("netflow9: CLOCK_BOOTTIME: " + err.Error()) // Linux has had it since 2.6.39
	}
	return ts.Nano()
}

// finish writes a replayed file's time into a message. A live one gets its time when it is sent; until then its seconds are 0.
func (c *clock) finish(msg []byte) {
	if c.replay {
		c.putTime(msg, c.newest)
	}
}

// stamp writes the time into a message that has none yet: of sending, or for templates ahead of a replayed file's records the file's.
func (c *clock) stamp(msg []byte, now time.Time) {
	if binary.BigEndian.Uint32(msg[8:]) != 0 {
		return
	}
	if c.replay {
		c.finish(msg)
		return
	}
	c.live(now)
	c.putTime(msg, now.UnixNano())
}

// putTime writes uptime as of the whole second that the header can tell, so that flows keep their milliseconds.
func (c *clock) putTime(msg []byte, wall int64) {
	wall -= wall % int64(time.Second)
	binary.BigEndian.PutUint32(msg[4:], uint32((wall-c.epoch)/int64(time.Millisecond)))
	binary.BigEndian.PutUint32(msg[8:], uint32(wall/int64(time.Second)))
}
