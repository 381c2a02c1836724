// How flows end by the clock.

package flow

// How flows end by the clock. Every entry has a tick, in an octet apart from it, at which somebody
// must look at it; every set has the earliest of its entries' ticks, or one before. A sweep goes
// over the sets' octets, eight at a time, and touches only entries that are due. Packets put off a
// flow's end without telling anybody: that costs one look too many, later.

import (
	"encoding/binary"
	"math/bits"
)

const (
	// tickShift makes ticks of nanoseconds: 2^29 ns are 0.54 s, so that a flow leaves within about
	// a second of its time.
	tickShift = 29
	// farthest is how many ticks ahead an octet can say; what is due later is looked at then, and
	// again.
	farthest = 120
	// jump is how far the clock may go between two sweeps for octets to be compared; beyond that
	// every entry is looked at.
	jump = 120

	dueBuffer = 512
)

// dueTick returns the tick at which an entry must be looked at: the first that lies wholly behind
// its due.
func dueTick(due, clock int64) uint8 {
	return uint8(min(due>>tickShift+1, clock>>tickShift+farthest))
}

// lookBy has the sweep look at an entry when the clock has passed a time.
func (c *cache) lookBy(i uint32, due int64) {
	tick := dueTick(due, c.clock)
	at := i / sets
	c.sets[at].dues[i%sets] = tick
	if int8(tick-c.next[at]) < 0 {
		c.next[at] = tick
	}
}

func (c *cache) startSweeping() {
	c.swept = c.clock >> tickShift
	for at := range c.next {
		c.next[at] = uint8(c.swept + farthest)
	}
}

// sweep ends the flows whose time has come, once per tick.
func (c *cache) sweep() {
	tick := c.clock >> tickShift
	if tick == c.swept {
		return
	}
	all := tick-c.swept > jump
	c.swept = tick
	n := 0
	for word := 0; word < len(c.next); word += 8 {
		come := uint64(highs)
		if !all {
			come = reached(c.next[word:], tick)
		}
		for ; come != 0; come &= come - 1 {
			at := word + bits.TrailingZeros64(come)/8
			if at >= len(c.next) {
				break
			}
			c.come[n] = uint32(at)
			if n++; n == dueBuffer {
				c.visit(c.come[:], tick, all)
				n = 0
			}
		}
	}
	c.visit(c.come[:n], tick, all)
}

// visit looks at sets, and at those of their entries that are due. Loops of loads go ahead, so that
// cache lines are fetched many at a time.
func (c *cache) visit(list []uint32, tick int64, all bool) {
	warm := c.warm
	for _, at := range list {
		warm += uint64(c.sets[at].tags[0])
	}
	c.warm = warm
	n := 0
	for _, at := range list {
		n = c.collect(at, tick, all, n)
		if n > dueBuffer-sets {
			c.look(c.due[:n])
			n = 0
		}
	}
	c.look(c.due[:n])
}

// reached returns the high bit of each of eight ticks that is not behind the given one, the first
// in the lowest octet. The slice's capacity is at least eight.
func reached(ticks []uint8, tick int64) uint64 {
	return notAfter(binary.LittleEndian.Uint64(ticks[:8]), tick)
}

// notAfter sets the high bit of each octet of x that is not after the tick, modulo 256: tick-x >=
// 0, that is x-(tick+1) < 0.
func notAfter(x uint64, tick int64) uint64 {
	y := uint64(uint8(tick+1)) * ones
	return (((x | highs) - (y &^ highs)) ^ (x ^ ^y)) & highs
}

// collect appends the set's due entries to the list and notes when the set must be looked at again
// for the others.
func (c *cache) collect(at uint32, tick int64, all bool, n int) int {
	s := &c.sets[at]
	ticks, come, live := &s.dues, everyPlace, s.taken()
	if !all {
		lo, hi := words16(ticks)
		come = select2(notAfter(lo, tick), notAfter(hi, tick))
	}
	for m := live & come; m != 0; m &= m - 1 {
		c.due[n] = at*sets + m.first()
		n++
	}
	next := int8(farthest)
	for m := live &^ come; m != 0; m &= m - 1 {
		next = min(next, int8(ticks[m.first()]-uint8(tick)))
	}
	c.next[at] = uint8(tick) + uint8(next)
	return n
}

// look ends those of the entries that are due; for the others it sets a new tick. The first loop
// fetches their cache lines.
func (c *cache) look(slots []uint32) {
	warm := c.warm
	for _, i := range slots {
		warm += uint64(c.origins[i].first)
		if c.entries[i].ports&version6 != 0 {
			warm += c.pairs[i].src.Lo
		}
	}
	if c.links != nil {
		warm += fetchLinks(c.links, slots)
	}
	c.warm = warm
	for _, i := range slots {
		e := &c.entries[i]
		if c.clock > e.due {
			if !c.keeps(e) {
				c.end(i, e.why())
				continue
			}
			e.due = min(c.clock+c.inactive, e.leave)
		}
		c.lookBy(i, e.due)
	}
}
