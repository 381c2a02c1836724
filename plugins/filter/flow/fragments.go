// Later fragments have no ports. They get those of the first fragment of their datagram, whether it
// came before them or comes soon after.

package flow

import (
	"math"
	"math/bits"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

// fragments remembers the ports of datagrams whose first fragment has passed, and holds back
// fragments whose first has not. The one is a fixed table of buckets of four, in which the oldest
// entry gives way; the other is a ring.
type fragments struct {
	buckets [][4]datagram

	held    [maxHeld]heldFragment
	first   uint32 // number of the oldest that is held
	behind  uint32 // and of the one behind the newest
	expires int64  // clock after which the oldest is held no longer

	given   []given // those to be counted with the batch at hand
	unknown *engine.Counter
}

// datagram is one that came in fragments.
type datagram struct {
	src, dst     engine.Addr
	id           uint32
	sport, dport uint16
	proto        uint8
	version      uint8
	seen         int64 // by FLOW's clock
}

// heldFragment is a later fragment that came before the first.
type heldFragment struct {
	tuple  key.Tuple
	time   engine.Time
	until  int64 // by FLOW's clock
	about  about
	link   link
	labels labels
	octets uint32
	ifout  uint32
	id     uint32
	hop    uint16
	step   uint8
	gone   bool // given already
}

// given is a held fragment that is counted in front of a row, with the ports of the first or
// without.
type given struct {
	fragment heldFragment
	before   int // index in readable.rows
	clock    int64
}

const (
	fragBuckets = 1024
	// fragTimeout is how long fragments may be under way: the reassembly timeout of Linux, half of
	// RFC 8200's.
	fragTimeout = int64(30 * time.Second)
	// holdFor is how long a fragment waits for the first, which was sent within the same moment, if
	// not before it.
	holdFor = int64(2 * time.Second)
	maxHeld = 256
)

func newFragments(st *engine.Stats) *fragments {
	return &fragments{
		buckets: make([][4]datagram, fragBuckets), expires: math.MaxInt64,
		given:   make([]given, 0, maxHeld+engine.BatchSize),
		unknown: st.Counter("fragments_unknown", "later fragments whose first was seen neither before them nor soon after; they count with ports 0"),
	}
}

// bucket hashes what all fragments of a datagram share. The protocol is left out: IPv6's first
// fragment may have extension headers before it.
func (f *front) bucket(t *key.Tuple, id uint32) *[4]datagram {
	h1, l1 := bits.Mul64(t.Src.Hi^f.secret[0], t.Src.Lo^f.secret[1])
	h2, l2 := bits.Mul64(t.Dst.Hi^f.secret[2], t.Dst.Lo^f.secret[3])
	h3, l3 := bits.Mul64(uint64(id)^f.secret[4], f.secret[5])
	return &f.frags.buckets[(h1^l1^h2^l2^h3^l3)%fragBuckets]
}

// remember notes a first fragment, and gives those that waited for it.
func (f *fragments) remember(bucket *[4]datagram, t *key.Tuple, id uint32, clock int64, before int) {
	slot := &bucket[0]
	for i := range bucket {
		d := &bucket[i]
		if d.matches(t, id) {
			slot = d
			break
		}
		if d.seen < slot.seen {
			slot = d
		}
	}
	*slot = datagram{
		src: t.Src, dst: t.Dst, id: id, sport: t.Sport, dport: t.Dport, proto: t.Proto,
		version: t.Version, seen: clock,
	}
	for n := f.first; n != f.behind; n++ {
		h := &f.held[n%maxHeld]
		if h.gone || !slot.matches(&h.tuple, h.id) {
			continue
		}
		h.gone = true
		slot.complete(&h.tuple)
		f.given = append(f.given, given{*h, before, clock})
	}
	f.trim()
}

// recall gives a later fragment the ports of the first, or returns false.
func (f *fragments) recall(bucket *[4]datagram, t *key.Tuple, id uint32, clock int64) bool {
	for i := range bucket {
		if d := &bucket[i]; d.matches(t, id) && clock-d.seen <= fragTimeout {
			d.complete(t)
			return true
		}
	}
	return false
}

// hold keeps a fragment back. If there is no room the oldest goes before its time.
func (f *fragments) hold(h heldFragment, clock int64, before int) {
	if f.behind-f.first == maxHeld {
		f.give(before, clock)
	}
	h.until = clock + holdFor
	f.held[f.behind%maxHeld] = h
	f.behind++
	f.trim()
}

// expire gives those that have waited long enough at a clock.
func (f *fragments) expire(clock int64, before int) {
	for clock > f.expires {
		f.give(before, f.expires)
	}
}

// give gives the oldest, with ports 0.
func (f *fragments) give(before int, clock int64) {
	h := &f.held[f.first%maxHeld]
	h.gone = true
	f.unknown.Add(1)
	f.given = append(f.given, given{*h, before, clock})
	f.trim()
}

// trim leaves out those at the front that are given.
func (f *fragments) trim() {
	for f.first != f.behind && f.held[f.first%maxHeld].gone {
		f.first++
	}
	f.expires = math.MaxInt64
	if f.first != f.behind {
		f.expires = f.held[f.first%maxHeld].until
	}
}

// complete gives a fragment of the datagram its ports.
func (d *datagram) complete(t *key.Tuple) { t.Sport, t.Dport, t.Proto = d.sport, d.dport, d.proto }

// matches reports whether the datagram is the one that t is a fragment of. IPv4 tells datagrams of
// different protocols apart (RFC 791 section 3.2), IPv6 does not (RFC 8200 section 4.5).
func (d *datagram) matches(t *key.Tuple, id uint32) bool {
	return d.id == id && d.src == t.Src && d.dst == t.Dst && d.version == t.Version && (t.Version == 6 || d.proto == t.Proto)
}
