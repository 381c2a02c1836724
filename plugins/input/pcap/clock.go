// Times of capture files, of any resolution.

package pcap

import (
	"math"
	"math/bits"
)

// clock turns the times of one capture interface into nanoseconds since 1970.
type clock struct {
	scale  uint64 // nanoseconds in a tick, or 0
	unit   uint64 // ticks in a second where scale is 0
	offset int64  // seconds to add
}

// newClock takes pcapng's if_tsresol: ticks in a second are a power of 10, or of 2 if the high bit
// is set. It returns false for a resolution that 64 bits cannot count a second in.
func newClock(resolution byte, offset int64) (clock, bool) {
	base, power := uint64(10), resolution
	if resolution >= 0x80 {
		base, power = 2, resolution&0x7f
	}
	unit := uint64(1)
	for range power {
		hi, lo := bits.Mul64(unit, base)
		if hi != 0 {
			return clock{}, false
		}
		unit = lo
	}
	if 1e9%unit == 0 {
		return clock{scale: 1e9 / unit, offset: offset}, true
	}
	return clock{unit: unit, offset: offset}, true
}

// nanos converts; times before 1970 become 0 and those after 2262 the last that fit.
func (c *clock) nanos(ticks uint64) int64 {
	var hi, ns uint64
	if c.scale != 0 {
		hi, ns = bits.Mul64(ticks, c.scale)
	} else {
		var carry uint64
		hi, ns = bits.Mul64(ticks/c.unit, 1e9)
		fh, fl := bits.Mul64(ticks%c.unit, 1e9)
		fraction, _ := bits.Div64(fh, fl, c.unit)
		ns, carry = bits.Add64(ns, fraction, 0)
		hi += carry
	}
	if hi != 0 || ns > math.MaxInt64 {
		ns = math.MaxInt64
	}
	if c.offset == 0 {
		return int64(ns)
	}
	return shift(int64(ns), c.offset)
}

// shift adds seconds to ns >= 0 and stays within 0 and the last time.
func shift(ns, seconds int64) int64 {
	switch {
	case seconds > (math.MaxInt64-ns)/1e9:
		return math.MaxInt64
	case seconds < -(ns / 1e9):
		return 0
	}
	return ns + seconds*1e9
}
