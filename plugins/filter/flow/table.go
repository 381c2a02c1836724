// The table of flows: entries of one cache line, in sets that are searched at once.

package flow

import (
	"encoding/binary"
	"math/bits"

	"ulogd/engine"
	"ulogd/engine/key"
)

// entry is what a flow's packets change and are compared with: one cache line.
type entry struct {
	lookup  // of the first packet; ports 0: the place is free, and equal to no packet's
	octets  uint64
	last    engine.Time // packet time
	due     int64       // clock after which it has ended, unless another packet comes
	leave   int64       // clock after which it ends even so
	packets uint32
	flags   uint16 // OR of TCP flags
	state   uint8
	step    uint8 // the timeline's when its times were written
}

// lookup is what a flow is found by.
type lookup struct {
	addrs uint64 // IPv4: both addresses; IPv6: a keyed digest, and the addresses are compared too
	ports uint64 // last word of the tuple: ports, protocol, type of service, IP version
	about about
}

// origin is the rest of what is known of a flow from its first packet.
type origin struct {
	first engine.Time
	ifout uint32 // output interface, 0 where it is not known
}

// pair is the addresses of an IPv6 flow. Those of IPv4 are in its entry.
type pair struct{ src, dst engine.Addr }

func (p *pair) is(t *key.Tuple) bool { return p.src == t.Src && p.dst == t.Dst }

// State of an entry.
const (
	stateEnded    uint8 = 1 << iota // a FIN or RST has come, and the flow waits for what belongs to it
	stateFin                        // the initiator has sent a FIN
	stateFinReply                   // the other side has
)

// sets is how many places a flow may be at: two groups of eight side by side.
const sets = 16

// set is what is known of sixteen places without looking at them. Two lie in a cache line.
type set struct {
	tags [sets]uint8 // 0x80 and seven bits of the hash, or 0 if the place is free
	dues [sets]uint8 // the ticks at which somebody must look at the places, modulo 256; see sweep.go
}

// table is a cache's memory. It is allocated once and has no pointers.
type table struct {
	sets    []set
	entries []entry  // sixteen for each set
	origins []origin // of each entry
	pairs   []pair   // of each entry: memory that the kernel gives when IPv6 first uses it
	next    []uint8  // earliest tick of each set's due, or before
	links   []link   // of each entry, if the key has them or somebody reads them
	labels  []labels // of each entry, if somebody reads them
	replies []reply  // of each entry, in biflows
	hops    []hops   // of each entry, if somebody reads them

	memory []memory
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// at returns the set that a hash falls into. The dealer has chosen this cache by the high bits, so
// they are mixed anew.
func (t *table) at(hash uint32) uint32 {
	return uint32(uint64(hash*spread) * uint64(len(t.sets)) >> 32)
}

// spread is 2^32 divided by the golden ratio: as a factor it brings low bits into high ones.
const spread = 0x9e3779b1

func tagOf(hash uint32) uint8 { return uint8(hash) | 0x80 }

// places is a selection of a set's sixteen: bit 8*i+j stands for place i+8*j.
type places uint64

const everyPlace places = 3 * ones

// first returns the first place of a selection that is not empty.
func (p places) first() uint32 {
	bit := uint32(bits.TrailingZeros64(uint64(p)))
	return bit>>3 | bit&1<<3
}

// only selects one place.
func only(place uint32) places { return 1 << (place&7<<3 | place>>3) }

// select2 gathers the high bits of sixteen octets.
func select2(lo, hi uint64) places { return places(lo&highs>>7 | hi&highs>>6) }

// words16 returns sixteen octets in two words.
func words16(b *[sets]uint8) (lo, hi uint64) {
	return binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])
}

// tagged selects the places that have the tag and, rarely, one beside such a place.
func (s *set) tagged(tag uint8) places {
	lo, hi := words16(&s.tags)
	t := uint64(tag) * ones
	return select2(zeros(lo^t), zeros(hi^t))
}

// taken selects the places that are not free.
func (s *set) taken() places { return select2(words16(&s.tags)) }

// zeros sets the high bit of each octet that is 0, and perhaps of one above such an octet.
func zeros(x uint64) uint64 { return (x - ones) &^ x & highs }

// stalest returns the place of a full set whose flow would end first. What the ticks say may be out
// of date: then they are corrected.
func (t *table) stalest(at uint32, clock int64) uint32 {
	ticks := &t.sets[at].dues
	for range sets {
		place, least := uint32(0), int8(127)
		for i, due := range ticks {
			if d := int8(due - uint8(clock>>tickShift)); d < least {
				place, least = uint32(i), d
			}
		}
		tick := dueTick(t.entries[at*sets+place].due, clock)
		if tick == ticks[place] {
			return place
		}
		ticks[place] = tick
	}
	return 0
}
