package flow

import (
	"encoding/binary"

	"ulogd/engine"
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
}

// lookup is what a flow is found by.
type lookup struct {
	addrs uint64 // IPv4: both addresses; IPv6: a keyed digest, and the addresses are compared too
	ports uint64 // last word of the tuple: ports, protocol, type of service, IP version
	about about
}

// origin is the rest of what is known of a flow from its first packet.
type origin struct {
	src, dst engine.Addr
	first    engine.Time
}

// State of an entry.
const (
	stateEnded    uint8 = 1 << iota // a FIN or RST has come, and the flow waits for what belongs to it
	stateFin                        // the initiator has sent a FIN
	stateFinReply                   // the other side has
)

// sets is how many places a flow may be at: two groups of eight side by side.
const sets = 16

// set is what is known of sixteen places without looking at them, in half a cache line.
type set struct {
	tag [sets]uint8 // 0x80 and seven bits of the hash; 0 if the place is free
	due [sets]uint8 // tick at which the sweep must look at the place, modulo 256
}

// table is a cache's memory. It is allocated once and has no pointers.
type table struct {
	sets    []set
	entries []entry  // sixteen for each set
	origins []origin // of each entry
	next    []uint8  // earliest tick of each set's due, or before
	links   []link   // of each entry, if the key has them or somebody reads them
	replies []reply  // of each entry, in biflows

	memory []memory
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// at returns the set that a hash falls into. The dealer has chosen this cache by the high bits, so they are mixed anew.
func (t *table) at(hash uint32) uint32 {
	return uint32(uint64(hash*spread) * uint64(len(t.sets)) >> 32)
}

// spread is 2^32 divided by the golden ratio: as a factor it brings low bits into high ones.
const spread = 0x9e3779b1

func tagOf(hash uint32) uint8 { return uint8(hash) | 0x80 }

// tagged returns a bit for each place of the set that has the tag (and, rarely, for one beside it that has not), and free
// one for each that is free.
func (s *set) tagged(tag uint8) uint32 {
	lo, hi := s.tags()
	t := uint64(tag) * ones
	return pack(zeros(lo^t)) | pack(zeros(hi^t))<<8
}

func (s *set) free() uint32 {
	lo, hi := s.tags()
	return pack(^lo&highs) | pack(^hi&highs)<<8
}

func (s *set) tags() (lo, hi uint64) {
	return binary.LittleEndian.Uint64(s.tag[:8]), binary.LittleEndian.Uint64(s.tag[8:])
}

// zeros sets the high bit of each octet that is 0, and perhaps of one above such an octet.
func zeros(x uint64) uint64 { return (x - ones) &^ x & highs }

// pack gathers the high bits of eight octets into eight bits.
func pack(x uint64) uint32 { return uint32(x >> 7 * 0x0102040810204080 >> 56) }

// stalest returns the place of the set whose flow would end first.
func (s *set) stalest(tick int64) uint32 {
	best, least := 0, int8(127)
	for i, due := range s.due {
		if d := int8(due - uint8(tick)); d < least {
			best, least = i, d
		}
	}
	return uint32(best)
}
