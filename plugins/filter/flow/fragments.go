package flow

import (
	"math/bits"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

// fragments remembers the ports of datagrams whose first fragment has passed, for the later ones. It is a fixed table of buckets of four, in
// which the oldest entry gives way.
type fragments struct {
	buckets [][4]datagram
	unknown *engine.Counter
}

// datagram is one that came in fragments.
type datagram struct {
	src, dst     engine.Addr
	id           uint32
	sport, dport uint16
	proto        uint8
	version      uint8
	seen         engine.Time
}

const (
	fragBuckets = 1024
	// fragTimeout is how long fragments may be under way: the reassembly timeout of Linux, half of RFC 8200's.
	fragTimeout = engine.Time(30 * time.Second)
)

func newFragments(st *engine.Stats) *fragments {
	return &fragments{
		buckets: make([][4]datagram, fragBuckets),
		unknown: st.Counter("fragments_unknown", "later fragments whose first had not been seen; they count with ports 0"),
	}
}

// reassign gives a later fragment the ports of the first.
func (f *front) reassign(b *engine.Batch, r engine.Row, t *key.Tuple) {
	id, now := f.fragID.Of(b)[r], f.timeOf(b, r)
	if t.Frag == key.FragFirst {
		f.frags.remember(f.bucket(t, id), t, id, now)
	} else {
		f.frags.recall(f.bucket(t, id), t, id, now)
	}
}

// bucket hashes what all fragments of a datagram share. The protocol is left out: IPv6's first fragment may have extension headers before it.
func (f *front) bucket(t *key.Tuple, id uint32) *[4]datagram {
	h1, l1 := bits.Mul64(t.Src.Hi^f.secret[0], t.Src.Lo^f.secret[1])
	h2, l2 := bits.Mul64(t.Dst.Hi^f.secret[2], t.Dst.Lo^f.secret[3])
	h3, l3 := bits.Mul64(uint64(id)^f.secret[4], f.secret[5])
	return &f.frags.buckets[(h1^l1^h2^l2^h3^l3)%fragBuckets]
}

func (f *fragments) remember(bucket *[4]datagram, t *key.Tuple, id uint32, now engine.Time) {
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
		version: t.Version, seen: now,
	}
}

func (f *fragments) recall(bucket *[4]datagram, t *key.Tuple, id uint32, now engine.Time) {
	for i := range bucket {
		if d := &bucket[i]; d.matches(t, id) && now-d.seen <= fragTimeout {
			t.Sport, t.Dport, t.Proto = d.sport, d.dport, d.proto
			return
		}
	}
	f.unknown.Add(1)
}

// matches tells whether the datagram is the one that t is a fragment of. IPv4 tells datagrams of different protocols apart (RFC 791 section
// 3.2), IPv6 does not (RFC 8200 section 4.5).
func (d *datagram) matches(t *key.Tuple, id uint32) bool {
	return d.id == id && d.src == t.Src && d.dst == t.Dst && d.version == t.Version && (t.Version == 6 || d.proto == t.Proto)
}
