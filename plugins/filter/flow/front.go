package flow

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"slices"
	"unsafe"

	"ulogd/engine"
	"ulogd/engine/key"
)

// front makes ready what the cache looks flows up by. With several workers it runs in front of them all, because a fragment must go where
// the rest of its flow goes, and both directions of a biflow to one cache.
type front struct {
	tuple   engine.Col[key.Tuple]
	fragID  engine.Col[uint32]
	time    engine.Col[engine.Time]
	ifindex engine.Col[uint32]
	vlan    engine.Col[uint16]
	mark    engine.Col[uint32]
	mac     engine.Col[engine.Raw]

	fixed   about     // of a packet of which nothing more is known
	keyed   lookup    // the bits that tell flows apart
	secret  [6]uint64 // so that nobody can choose addresses that fall into one place of the cache
	macKey  bool
	markKey bool
	icmpKey bool
	biflow  bool
	adjusts bool // the settings want packets changed before they are looked up
	frags   *fragments

	first engine.Time // the first packet's; 0 until it has come
}

// readable are the rows of a batch that have a tuple.
type readable struct {
	rows [engine.BatchSize]engine.Row
	n    int
}

// about is what else is known of a packet or of a flow's first one, in a word: the input interface and the VLAN, whether they are
// known, and a digest of what the key has besides.
type about = uint64

const (
	aboutIfindex    about = 1<<32 - 1
	aboutVLAN       about = 0xffff << 32
	aboutHasIfindex about = 1 << 48
	aboutHasVLAN    about = 1 << 49
	aboutReverse    about = 1 << 50 // the tuple's sides have been exchanged
	aboutDigest     about = 0x1fff << 51
)

// words are a tuple as its five words. It has no pointers and no gaps, and key.Tuple begins at a multiple of 8.
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

func (f *flow) front(p *engine.Binder) *front {
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
	r.mac = engine.WantIf(p, key.RawMAC, func() bool { return r.macKey })
	r.mark = engine.WantIf(p, key.OOBMark, func() bool { return r.markKey })
	if f.inputIfindex != 0 {
		r.fixed = about(f.inputIfindex) | aboutHasIfindex
	}
	r.adjusts = r.macKey || r.markKey || !r.icmpKey || r.biflow
	if f.fragments == "track" {
		r.frags = newFragments(p.Stats())
	}
	var secret [len(r.secret) * 8]byte
	rand.Read(secret[:])
	for i := range r.secret {
		r.secret[i] = binary.NativeEndian.Uint64(secret[8*i:])
	}
	return r
}

// prepare lists the rows of b that have a tuple and fills what their flows are found by. It completes tuples in place: they are made for FLOW alone.
func (f *front) prepare(b *engine.Batch, p *readable, looks *[engine.BatchSize]lookup, hash *[engine.BatchSize]uint32) {
	have, tuple, tupleBit := b.Have(), f.tuple.Of(b), f.tuple.Mask()
	ifindex, ifindexBit := f.ifindex.Of(b), f.ifindex.Mask()
	if f.fixed != 0 {
		ifindexBit = 0
	}
	vlan, vlanBit := f.vlan.Of(b), f.vlan.Mask()
	k, keyed := f.secret, f.keyed
	n := 0
	for _, r := range b.Rows() {
		h := have[r]
		if h&tupleBit == 0 {
			continue
		}
		p.rows[n%engine.BatchSize] = r
		n++
		t, a := &tuple[r], f.fixed
		if h&ifindexBit != 0 {
			a |= about(ifindex[r]) | aboutHasIfindex
		}
		if h&vlanBit != 0 {
			a |= about(vlan[r])<<32 | aboutHasVLAN
		}
		if t.Frag != key.FragWhole && f.frags != nil {
			f.reassign(b, r, t)
		}
		if f.adjusts {
			a |= f.adjust(b, r, t)
		}
		l := lookup{addrs: t.Src.Lo<<32 | t.Dst.Lo&(1<<32-1), ports: portsOf(t), about: a}
		if t.Version == 6 {
			h1, l1 := bits.Mul64(t.Src.Hi^k[2], t.Src.Lo^k[3])
			h2, l2 := bits.Mul64(t.Dst.Hi^k[4], t.Dst.Lo^k[5])
			l.addrs = h1 ^ l1 ^ bits.RotateLeft64(h2^l2, 32)
		}
		looks[r] = l
		// A product of secret sums, folded: what somebody chooses who does not know the secrets falls anywhere.
		h1, l1 := bits.Mul64(l.addrs^k[0], l.ports&keyed.ports^k[1])
		h2, l2 := bits.Mul64(l.about&keyed.about^k[2], k[3])
		x := h1 ^ l1 ^ bits.RotateLeft64(h2^l2, 32)
		hash[r] = uint32(x>>32) ^ uint32(x)
	}
	p.n = n
	if f.first == 0 && n > 0 {
		f.first = f.timeOf(b, p.rows[0])
	}
}

// adjust changes a packet as the settings want it before it is looked up, and returns what that adds to about.
func (f *front) adjust(b *engine.Batch, r engine.Row, t *key.Tuple) (a about) {
	if !f.icmpKey && isICMP(t) {
		t.Dport = 0
	}
	if f.biflow && orient(t) {
		a |= aboutReverse
	}
	if f.macKey || f.markKey {
		// Mark and hardware addresses take part in the hash by a digest; the cache compares them as they are.
		l := linkOf(b, r, f.mac, f.mark, f.macKey, f.markKey)
		hi, lo := bits.Mul64(l.digest()^f.secret[0], f.secret[1])
		a |= (hi ^ lo) & aboutDigest
	}
	return a
}

func (f *front) timeOf(b *engine.Batch, r engine.Row) engine.Time {
	if f.time.Has(b, r) {
		return f.time.Of(b)[r]
	}
	return engine.Time(b.Clock())
}

// Protocols that are treated by name (IANA).
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoDCCP   = 33
	protoICMPv6 = 58
	protoSCTP   = 132
	protoLite   = 136
)

func isICMP(t *key.Tuple) bool {
	return t.Proto == protoICMP && t.Version == 4 || t.Proto == protoICMPv6 && t.Version == 6
}

// lookKey carries what a flow is found by from the dealer to the workers.
var lookKey = engine.NewKey[lookup](engine.KeyInfo{Name: "flow.lookup", Doc: "what the flow of a packet is found by"})

// dealer is the front of several workers.
type dealer struct {
	front *front
	rows  readable
	hash  engine.Col[uint32]
	look  engine.Col[lookup]
	epoch engine.Col[engine.Time]
	dealt uint64 // presence bit
}

// Hash implements engine.Dealer. Rows without a tuple go to the first worker, which counts them.
func (d *dealer) Hash(b *engine.Batch) *[engine.BatchSize]uint32 {
	have, hash, epoch := b.Have(), d.hash.Of(b), d.epoch.Of(b)
	for _, r := range b.Rows() {
		hash[r] = 0
	}
	d.front.prepare(b, &d.rows, d.look.Of(b), hash)
	for _, r := range d.rows.rows[:d.rows.n] {
		epoch[r] = d.front.first
		have[r] |= d.dealt
	}
	return hash
}
