// The time in a message's header.

package netflow9

import (
	"encoding/binary"
	"time"

	"ulogd/plugins/output/export/uptime"
)

// live is the uptime of a message of live records that waits for its time.
const live = 1<<32 - 1

// Seal implements stream.Format: it writes a replayed file's time into a message. A live one gets
// its time when it is sent; until then its seconds are 0.
func (o *output) Seal(msg []byte) {
	if wall, ok := o.clock.Replayed(); ok {
		o.putTime(msg, &o.clock, wall)
	} else {
		binary.BigEndian.PutUint32(msg[4:], live)
	}
}

// stamp writes the time into a message that has none yet: of sending, or for templates ahead of a
// replayed file's records the file's.
func (o *output) stamp(msg []byte, now time.Time) {
	if binary.BigEndian.Uint32(msg[8:]) != 0 {
		return
	}
	if _, replayed := o.clock.Replayed(); replayed && binary.BigEndian.Uint32(msg[4:]) == live {
		c := o.clock.Present(now)
		o.putTime(msg, &c, now.UnixNano())
		return
	}
	o.putTime(msg, &o.clock, o.clock.Time(now))
}

// putTime writes uptime as of a whole second, since the header can tell no other and flows are to
// keep their milliseconds: of the next one, so that no flow ends after its header.
func (o *output) putTime(msg []byte, c *uptime.Clock, wall int64) {
	wall += int64(time.Second) - 1
	wall -= wall % int64(time.Second)
	up, _ := c.Millis(wall)
	binary.BigEndian.PutUint32(msg[4:], up)
	binary.BigEndian.PutUint32(msg[8:], uint32(wall/int64(time.Second)))
}
