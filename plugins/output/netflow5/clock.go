// The time in a datagram's header.

package netflow5

import (
	"time"

	"ulogd/plugins/output/export/uptime"
)

// Seal implements stream.Format: it writes the time of a replayed file. A live datagram gets its
// time when it is sent; until then its seconds are 0.
func (o *output) Seal(msg []byte) {
	if wall, ok := o.clock.Replayed(); ok {
		o.putTime(msg, &o.clock, wall)
	} else {
		be.PutUint32(msg[8:], 0)
	}
}

// stamp writes the time of sending into a datagram that has none yet: a live one, behind which those
// of a file may have come.
func (o *output) stamp(msg []byte, now time.Time) {
	if be.Uint32(msg[8:]) != 0 {
		return
	}
	if _, replayed := o.clock.Replayed(); replayed {
		c := o.clock.Present(now)
		o.putTime(msg, &c, now.UnixNano())
		return
	}
	o.putTime(msg, &o.clock, o.clock.Time(now))
}

// putTime writes a time as of a whole millisecond, since uptimes have no more: collectors add a
// flow's to the difference of the two.
func (o *output) putTime(msg []byte, c *uptime.Clock, wall int64) {
	wall -= wall % int64(time.Millisecond)
	up, _ := c.Millis(wall)
	be.PutUint32(msg[4:], up)
	be.PutUint32(msg[8:], uint32(wall/int64(time.Second)))
	be.PutUint32(msg[12:], uint32(wall%int64(time.Second)))
}
