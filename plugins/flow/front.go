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
	raw      engine.Col[engine.Raw]
	tuple    engine.Col[key.Tuple]
	fragID   engine.Col[uint32]
	time     engine.Col[engine.Time]
	ifindex  engine.Col[uint32]
	vlan     engine.Col[uint16]
	mark     engine.Col[uint32]
	mac      engine.Col[engine.Raw]
	fixed    about // of a packet of which nothing more is known
	seeds    [6]uint64
	tupleKey uint64 // bits of a tuple's last word that tell flows apart
	aboutKey uint64 // and of about
	macKey   bool
	markKey  bool
	icmpKey  bool
	biflow   bool
	frags    *fragments

	first engine.Time // the first packet's; 0 until it has come
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

// aboutKey carries about from the dealer to the workers.
var aboutKey = engine.NewKey[uint64](engine.KeyInfo{Name: "flow.about", Doc: "input interface, VLAN and side of a packet as one value"})

// words are a tuple as its five words. It has no pointers and no gaps, and key.Tuple begins at a multiple of 8.
type words = [5]uint64

// lastWord holds all but the addresses.
const lastWord = 4

func wordsOf(t *key.Tuple) *words { return (*words)(unsafe.Pointer(t)) }

func (f *flow) front(p *engine.Binder) *front {
	fields := f.fields()
	has := func(name string) bool { return slices.Contains(fields, name) }
	r := &front{
		tuple:   engine.Need(p, key.FlowTuple),
		fragID:  engine.Want(p, key.FlowFragID),
		time:    engine.Want(p, key.OOBTime),
		ifindex: engine.Want(p, key.OOBIfIn),
		vlan:    engine.Want(p, key.OOBVLAN),
		macKey:  has("mac"), markKey: has("mark"), icmpKey: has("icmp"),
		biflow: f.biflow,
	}
	if r.macKey {
		r.mac = engine.Want(p, key.RawMAC)
	}
	if r.markKey {
		r.mark = engine.Want(p, key.OOBMark)
	}
	if f.inputIfindex != 0 {
		r.fixed = about(f.inputIfindex) | aboutHasIfindex
	}
	counts := key.Tuple{Sport: 0xffff, Dport: 0xffff, Proto: 0xff, Version: 0xff}
	if has("tos") {
		counts.TOS = 0xff
	}
	r.tupleKey = wordsOf(&counts)[lastWord]
	r.aboutKey = aboutDigest
	if has("ifindex") {
		r.aboutKey |= aboutIfindex | aboutHasIfindex
	}
	if has("vlan") {
		r.aboutKey |= aboutVLAN | aboutHasVLAN
	}
	if f.fragments == "track" {
		r.frags = newFragments(p.Stats())
	}
	// Secret, so that nobody can choose addresses that fall into one place of the cache.
	var secret [len(r.seeds) * 8]byte
	rand.Read(secret[:])
	for i := range r.seeds {
		r.seeds[i] = binary.NativeEndian.Uint64(secret[8*i:]) | 1
	}
	return r
}

// prepare fills hash and about for the rows that have a tuple. It completes the tuples in place: they are made for FLOW alone.
func (f *front) prepare(b *engine.Batch, rows []engine.Row, hash *[engine.BatchSize]uint32, abouts *[engine.BatchSize]about) {
	f.know(b, rows, abouts)
	tuple := f.tuple.Of(b)
	if f.first == 0 && len(rows) > 0 {
		f.first = f.timeOf(b, rows[0])
	}
	if f.frags != nil {
		f.reassign(b, rows, tuple)
	}
	if !f.icmpKey {
		for _, r := range rows {
			if t := &tuple[r]; isICMP(t) {
				t.Dport = 0
			}
		}
	}
	if f.biflow {
		orient(rows, tuple, abouts)
	}
	k, tupleKey, aboutKey := f.seeds, f.tupleKey, f.aboutKey
	for _, r := range rows {
		// Three products of secret sums, folded: what is chosen by somebody who does not know the secrets falls anywhere.
		w := wordsOf(&tuple[r])
		h1, l1 := bits.Mul64(w[0]^k[0], w[1]^k[1])
		h2, l2 := bits.Mul64(w[2]^k[2], w[3]^k[3])
		h3, l3 := bits.Mul64(w[lastWord]&tupleKey^k[4], abouts[r]&aboutKey^k[5])
		x := h1 ^ l1 ^ bits.RotateLeft64(h2^l2, 21) ^ bits.RotateLeft64(h3^l3, 42)
		hash[r] = uint32(x>>32) ^ uint32(x)
	}
}

// know fills about.
func (f *front) know(b *engine.Batch, rows []engine.Row, abouts *[engine.BatchSize]about) {
	for _, r := range rows {
		abouts[r] = f.fixed
	}
	have := b.Have()
	if f.fixed == 0 && f.ifindex.Given() {
		ifindex, bit := f.ifindex.Of(b), f.ifindex.Mask()
		for _, r := range rows {
			if have[r]&bit != 0 {
				abouts[r] |= about(ifindex[r]) | aboutHasIfindex
			}
		}
	}
	if f.vlan.Given() {
		vlan, bit := f.vlan.Of(b), f.vlan.Mask()
		for _, r := range rows {
			if have[r]&bit != 0 {
				abouts[r] |= about(vlan[r])<<32 | aboutHasVLAN
			}
		}
	}
	if f.macKey || f.markKey {
		f.digest(b, rows, abouts)
	}
}

// digest mixes the mark and the hardware addresses into about, so that they take part in the hash; the cache compares them as they are.
func (f *front) digest(b *engine.Batch, rows []engine.Row, abouts *[engine.BatchSize]about) {
	for _, r := range rows {
		l := linkOf(b, r, f.mac, f.mark, f.macKey, f.markKey)
		hi, lo := bits.Mul64(l.digest()^f.seeds[0], f.seeds[1])
		abouts[r] |= (hi ^ lo) & aboutDigest
	}
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

// dealer is the front of several workers.
type dealer struct {
	front *front
	hash  engine.Col[uint32]
	about engine.Col[uint64]
	epoch engine.Col[engine.Time]
	group engine.Group
	rows  [engine.BatchSize]engine.Row
}

// Hash implements engine.Dealer. Rows without a tuple go to the first worker, which counts them.
func (d *dealer) Hash(b *engine.Batch) *[engine.BatchSize]uint32 {
	hash, epoch := d.hash.Of(b), d.epoch.Of(b)
	have, tupleBit, bit := b.Have(), d.front.tuple.Mask(), d.group.Mask()
	n := 0
	for _, r := range b.Rows() {
		hash[r] = 0
		if have[r]&tupleBit != 0 {
			d.rows[n] = r
			n++
		}
		have[r] |= bit
	}
	d.front.prepare(b, d.rows[:n], hash, d.about.Of(b))
	for _, r := range b.Rows() {
		epoch[r] = d.front.first
	}
	return hash
}
