// What a packet's flow is found by.

package flow

import (
	"math"
	"math/bits"
	"slices"
	"unsafe"

	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
)

// front makes ready what the cache looks flows up by.
type front struct {
	tuple   engine.Col[key.Tuple]
	fragID  engine.Col[uint32]
	time    engine.Col[engine.Time]
	ifindex engine.Col[uint32]
	vlan    engine.Col[uint16]
	ifout   engine.Col[uint32]
	octets  engine.Col[uint32]
	hops    hopColumns
	link    linkColumns
	labels  labelColumns

	fixed   about  // of a packet of which nothing more is known
	keyed   lookup // the bits that tell flows apart
	secret  secret
	macKey  bool
	markKey bool
	icmpKey bool
	biflow  bool
	adjusts bool // the settings want packets changed before they are looked up
	frags   *fragments
}

// readable are the rows of a batch that have a tuple and are counted now.
type readable struct {
	rows [engine.BatchSize]engine.Row
	n    int
	held int // fragments that are counted later

	doubt bool // one more row, behind the others, is counted when it is known what time it was
}

// about is what else is known of a packet or of a flow's first one, in a word: the input interface
// and the VLAN, whether they are known, and a digest of what the key has besides.
type about = uint64

const (
	aboutIfindex    about = 1<<32 - 1
	aboutVLAN       about = 0xffff << 32
	aboutHasIfindex about = 1 << 48
	aboutHasVLAN    about = 1 << 49
	aboutReverse    about = 1 << 50 // the tuple's sides have been exchanged
	aboutDigest     about = 0x1fff << 51
)

// words are a tuple as its five words. It has no pointers and no gaps, and key.Tuple begins at a
// multiple of 8.
type words = [5]uint64

// lastWord holds all but the addresses.
const lastWord = 4

func wordsOf(t *key.Tuple) *words { return (*words)(unsafe.Pointer(t)) }

// portsOf makes the last word of a tuple without what says of fragments.
func portsOf(t *key.Tuple) uint64 { return wordsOf(t)[lastWord] &^ fragBits }

var (
	fragBits = wordsOf(&key.Tuple{Frag: 0xff})[lastWord]
	version6 = wordsOf(&key.Tuple{Version: 6 &^ 4})[lastWord] // the bit that 6 has and 4 lacks
)

// keyed returns the bits of a lookup that tell flows apart by the settings.
func (f *flow) keyed() lookup {
	fields := f.fields()
	counts := key.Tuple{Sport: 0xffff, Dport: 0xffff, Proto: 0xff, Version: 0xff}
	if slices.Contains(fields, "tos") {
		counts.TOS = 0xff
	}
	k := lookup{addrs: 1<<64 - 1, ports: portsOf(&counts), about: aboutDigest}
	if slices.Contains(fields, "ifindex") {
		k.about |= aboutIfindex | aboutHasIfindex
	}
	if slices.Contains(fields, "vlan") {
		k.about |= aboutVLAN | aboutHasVLAN
	}
	return k
}

func (f *flow) front(p *engine.Binder, linkWanted, labelsWanted func() bool) *front {
	fields := f.fields()
	r := &front{
		tuple:   engine.Need(p, key.FlowTuple),
		fragID:  engine.Want(p, key.FlowFragID),
		time:    engine.Want(p, key.OOBTime),
		ifindex: engine.Want(p, key.OOBIfIn),
		vlan:    engine.Want(p, key.OOBVLAN),
		keyed:   f.keyed(),
		macKey:  slices.Contains(fields, "mac"), markKey: slices.Contains(fields, "mark"), icmpKey: slices.Contains(fields, "icmp"),
		biflow: f.biflow,
	}
	r.link, r.labels = bindLink(p, linkWanted), bindLabels(p, labelsWanted)
	r.ifout = engine.Want(p, key.OOBIfOut)
	r.octets = engine.Need(p, key.FlowOctets)
	if f.inputIfindex != 0 {
		r.fixed = about(f.inputIfindex) | aboutHasIfindex
	}
	r.adjusts = r.macKey || r.markKey || !r.icmpKey || r.biflow
	if f.fragments == "track" {
		r.frags = newFragments(p.Stats())
	}
	r.secret = newSecret()
	return r
}

// prepare lists the rows of b that are counted now and fills what their flows are found by. It
// completes tuples in place: they are made for FLOW alone. Fragments whose ports are not known are
// held back, and those held before are given with the rows that they are counted in front of.
func (f *front) prepare(b *engine.Batch, p *readable, looks *[engine.BatchSize]lookup, hash *[engine.BatchSize]uint32, at *[engine.BatchSize]instant) {
	have, tuple, tupleBit := b.Have(), f.tuple.Of(b), f.tuple.Mask()
	ifindex, ifindexBit := f.ifindex.Of(b), f.ifindex.Mask()
	if f.fixed != 0 {
		ifindexBit = 0
	}
	vlan, vlanBit := f.vlan.Of(b), f.vlan.Mask()
	k, keyed := f.secret, f.keyed
	expires := int64(math.MaxInt64)
	if f.frags != nil {
		f.frags.given = f.frags.given[:0]
		expires = f.frags.expires
	}
	n := 0
	p.held, p.doubt = 0, false
	for _, r := range b.Rows() {
		h := have[r]
		if h&tupleBit == 0 {
			continue
		}
		if at[r].clock > expires {
			f.frags.expire(at[r].clock, n)
			expires = f.frags.expires
		}
		t, a := &tuple[r], f.fixed
		if h&ifindexBit != 0 {
			a |= about(ifindex[r]) | aboutHasIfindex
		}
		if h&vlanBit != 0 {
			a |= about(vlan[r])<<32 | aboutHasVLAN
		}
		if t.Frag != key.FragWhole && f.frags != nil {
			known := f.reassign(b, r, t, a, &at[r], n)
			expires = f.frags.expires
			if !known {
				p.held++
				continue
			}
		}
		p.rows[n%engine.BatchSize] = r
		if at[r].doubt {
			p.doubt = true
		} else {
			n++
		}
		if f.adjusts {
			a |= f.adjust(t)
			if f.macKey || f.markKey {
				l := f.link.of(b, r)
				a |= f.digest(&l)
			}
		}
		l := lookup{addrs: t.Src.Lo<<32 | t.Dst.Lo&(1<<32-1), ports: portsOf(t), about: a}
		if t.Version == 6 {
			l.addrs = f.addrs6(t)
		}
		looks[r] = l
		// As in hashOf, which costs a call.
		h1, l1 := bits.Mul64(l.addrs^k[0], l.ports&keyed.ports^k[1])
		h2, l2 := bits.Mul64(l.about&keyed.about^k[2], k[3])
		x := h1 ^ l1 ^ bits.RotateLeft64(h2^l2, 32)
		hash[r] = uint32(x>>32) ^ uint32(x)
	}
	p.n = n
}

// addrs6 digests the addresses of IPv6.
func (f *front) addrs6(t *key.Tuple) uint64 {
	k := &f.secret
	h1, l1 := bits.Mul64(t.Src.Hi^k[2], t.Src.Lo^k[3])
	h2, l2 := bits.Mul64(t.Dst.Hi^k[4], t.Dst.Lo^k[5])
	return h1 ^ l1 ^ bits.RotateLeft64(h2^l2, 32)
}

// lookup makes what a flow is found by.
func (f *front) lookup(t *key.Tuple, a about) lookup {
	l := lookup{addrs: t.Src.Lo<<32 | t.Dst.Lo&(1<<32-1), ports: portsOf(t), about: a}
	if t.Version == 6 {
		l.addrs = f.addrs6(t)
	}
	return l
}

// hashOf is a product of secret sums, folded: what somebody chooses who does not know the secrets
// falls anywhere.
func (f *front) hashOf(l *lookup) uint32 {
	k := &f.secret
	h1, l1 := bits.Mul64(l.addrs^k[0], l.ports&f.keyed.ports^k[1])
	h2, l2 := bits.Mul64(l.about&f.keyed.about^k[2], k[3])
	x := h1 ^ l1 ^ bits.RotateLeft64(h2^l2, 32)
	return uint32(x>>32) ^ uint32(x)
}

// reassign gives a later fragment the ports of the first. It returns false if the fragment is held
// back until they are known; n rows are in front of it.
func (f *front) reassign(b *engine.Batch, r engine.Row, t *key.Tuple, a about, now *instant, n int) bool {
	id, clock := f.fragID.Of(b)[r], now.clock
	if clock < 0 {
		clock = ^clock
	}
	bucket := f.bucket(t, id)
	if t.Frag == key.FragFirst {
		f.frags.remember(bucket, t, id, clock, n+1)
		return true
	}
	if f.frags.recall(bucket, t, id, clock) {
		return true
	}
	h := heldFragment{
		tuple: *t, time: f.timeOf(b, r), about: a, octets: f.octets.Of(b)[r], id: id, step: now.step, hop: f.hops.of(b, r),
	}
	if now.clock < 0 {
		h.time = engine.Time(clock - now.offset)
	}
	if f.link.wanted() {
		h.link = f.link.of(b, r)
	}
	h.labels = f.labels.of(b, r)
	if f.ifout.Has(b, r) {
		h.ifout = f.ifout.Of(b)[r]
	}
	f.frags.hold(h, clock, n)
	return false
}

// arrival makes a packet of a fragment that was held.
func (f *front) arrival(g *given, look *lookup) arrival {
	h := &g.fragment
	a := h.about
	if f.adjusts {
		a |= f.adjust(&h.tuple)
		if f.macKey || f.markKey {
			a |= f.digest(&h.link)
		}
	}
	*look = f.lookup(&h.tuple, a)
	return arrival{
		tuple: &h.tuple, look: look, hash: f.hashOf(look), clock: g.clock, time: h.time, step: h.step,
		link: h.link, labels: h.labels, ifout: h.ifout, packets: 1, octets: h.octets, hop: h.hop,
	}
}

// adjust changes a packet as the settings want it before it is looked up, and returns what that
// adds to about.
func (f *front) adjust(t *key.Tuple) (a about) {
	if !f.icmpKey && isICMP(t) {
		t.Sport, t.Dport = 0, 0
	}
	if f.biflow && orient(t) {
		a |= aboutReverse
	}
	return a
}

// digest makes mark and hardware addresses take part in the hash; the cache compares them as they
// are.
func (f *front) digest(l *link) about {
	keyed := *l
	keyed.has &= linkKeyed
	if !f.macKey {
		keyed.src, keyed.dst, keyed.has = engine.MAC{}, engine.MAC{}, keyed.has&linkMark
	}
	if !f.markKey {
		keyed.mark, keyed.has = 0, keyed.has&^linkMark
	}
	hi, lo := bits.Mul64(keyed.digest()^f.secret[0], f.secret[1])
	return (hi ^ lo) & aboutDigest
}

func (f *front) timeOf(b *engine.Batch, r engine.Row) engine.Time {
	if f.time.Has(b, r) {
		return f.time.Of(b)[r]
	}
	return engine.Time(b.Clock())
}

func isICMP(t *key.Tuple) bool {
	return t.Proto == ipproto.ICMP && t.Version == 4 || t.Proto == ipproto.ICMPv6 && t.Version == 6
}
