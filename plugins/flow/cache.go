package flow

import (
	"math/bits"
	"slices"

	"ulogd/engine"
	"ulogd/engine/key"
)

// cache is the flows of one stage. Its times are nanoseconds; its clock never goes backwards.
type cache struct {
	table
	out *out

	slots                    int // of the table, as set
	inactive, active, linger int64
	keepBelow                int // number of live flows below which idle ones may stay
	tupleKey                 uint64
	aboutKey                 about
	macKey, markKey, biflow  bool

	started bool
	replay  bool // the clock is packet time
	clock   int64
	swept   int64 // tick of the last sweep
	live    int
	epoch   engine.Time

	slot [engine.BatchSize]uint32 // of each row of the batch: where its flow most likely is
	due  [dueBuffer]uint32        // entries that the sweep looks at
	warm uint64                   // keeps the compiler from leaving out loads that only fetch cache lines

	counts counts
}

// Why a flow has ended (IPFIX flowEndReason, RFC 5102 section 5.11.3).
const (
	reasonIdle     = 1
	reasonActive   = 2
	reasonFinished = 3
	reasonForced   = 4
	reasonPushed   = 5
)

// maxPackets is the most that an entry, and a NetFlow v5 record, can count.
const maxPackets = 1<<32 - 1

func (f *flow) cache(p *engine.Binder) *cache {
	fields := f.fields()
	c := &cache{
		slots:    (f.maxFlows + f.workers - 1) / f.workers,
		inactive: int64(f.inactive), active: int64(f.active), linger: int64(f.linger),
		tupleKey: wordsOf(&key.Tuple{Sport: 0xffff, Dport: 0xffff, Proto: 0xff, Version: 0xff})[lastWord],
		macKey:   slices.Contains(fields, "mac"), markKey: slices.Contains(fields, "mark"), biflow: f.biflow,
		counts: newCounts(p.Stats()),
	}
	c.keepBelow = c.slots * f.keepIdleBelow / 100
	c.out = bindOut(p, f.biflow)
	return c
}

// open takes the memory. By then it is known what is read.
func (c *cache) open() (err error) {
	n := (c.slots + sets - 1) / sets
	if c.sets, err = take[set](&c.memory, n); err != nil {
		return err
	}
	if c.entries, err = take[entry](&c.memory, n*sets); err != nil {
		return err
	}
	if c.next, err = take[uint8](&c.memory, (n+7)&^7); err != nil { // the sweep reads eight at once
		return err
	}
	c.next = c.next[:n]
	if c.macKey || c.markKey || c.out.linkWanted() {
		if c.links, err = take[link](&c.memory, n*sets); err != nil {
			return err
		}
	}
	if c.biflow {
		c.replies, err = take[reply](&c.memory, n*sets)
	}
	return err
}

func (c *cache) close() error {
	c.table = table{memory: c.memory}
	return release(&c.memory)
}

// begin sets the clock for a batch whose first packet came at first.
func (c *cache) begin(b *engine.Batch, first engine.Time) {
	c.replay = b.Replay()
	if c.replay {
		c.clock = max(c.clock, int64(first))
	} else {
		c.clock = max(c.clock, b.Clock())
	}
	if !c.started {
		c.started = true
		c.startSweeping()
	}
}

// locate guesses where the flow of each row is. Three loops over plain arrays let the processor fetch many cache lines at
// a time: the sets, then the entries, which update then finds near.
func (c *cache) locate(rows []engine.Row, hash *[engine.BatchSize]uint32) {
	all, entries, warm := c.sets, c.entries, c.warm
	for _, r := range rows {
		at := c.at(hash[r])
		c.slot[r] = at
		warm += uint64(all[at].tag[0])
	}
	for _, r := range rows {
		at := c.slot[r]
		i := at*sets + all[at].guess(tagOf(hash[r]))
		c.slot[r] = i
		e := &entries[i]
		warm += e.tuple.Src.Hi + uint64(e.packets) // its first octets and its last: both lines
	}
	c.warm = warm
}

// TCP flags (RFC 9293).
const (
	tcpFIN = 0x01
	tcpSYN = 0x02
	tcpRST = 0x04
	tcpACK = 0x10
)

// update counts each packet in its flow.
func (c *cache) update(b *engine.Batch, in *inputs, rows []engine.Row, hash *[engine.BatchSize]uint32, abouts *[engine.BatchSize]about) {
	have, tuples, octets := b.Have(), in.tuple.Of(b), in.octets.Of(b)
	flags, flagBit := in.flags.Of(b), in.flags.Mask()
	times, timeBit := in.time.Of(b), in.time.Mask()
	all, entries := c.sets, c.entries
	tupleKey, aboutKey := c.tupleKey, c.aboutKey
	links := c.macKey || c.markKey
	var moves int64 // whether packets move the clock: all bits or none
	if c.replay {
		moves = -1
	}
	for _, r := range rows {
		t := times[r]
		if have[r]&timeBit == 0 {
			t = engine.Time(b.Clock())
		}
		c.clock = max(c.clock, int64(t)&moves)
		clock := c.clock
		i := c.slot[r]
		e := &entries[i]
		if !e.is(&tuples[r], abouts[r], tupleKey, aboutKey) || clock > e.due || links {
			i = c.find(b, in, r, hash[r], abouts[r], t)
			e = &entries[i]
		}
		f := flags[r]
		if have[r]&flagBit == 0 {
			f = 0
		}
		last := false
		if f&(tcpFIN|tcpSYN|tcpRST) != 0 {
			if e.state&stateEnded != 0 && f&(tcpSYN|tcpACK) == tcpSYN { // a new connection with the same ports
				c.end(i, reasonFinished)
				i = c.insert(b, in, r, hash[r], abouts[r], t)
				e = &entries[i]
			}
			last = c.closing(i, f, abouts[r])
		}
		if (e.about^abouts[r])&aboutReverse == 0 {
			e.packets++
			e.octets += uint64(octets[r])
			e.flags |= f
			e.first, e.last = min(e.first, t), max(e.last, t)
			last = last || e.packets == maxPackets
		} else {
			y := &c.replies[i]
			y.add(uint64(octets[r]), f, t, tuples[r].TOS)
			last = last || y.packets == maxPackets
		}
		e.due = min(clock+c.inactive, e.leave)
		all[i/sets].due[i%sets] = dueTick(e.due, clock)
		if last {
			c.end(i, c.whyFull(e))
		}
	}
}

// is tells whether the entry is the flow of a packet.
func (e *entry) is(t *key.Tuple, a about, tupleKey uint64, aboutKey about) bool {
	x, y := wordsOf(&e.tuple), wordsOf(t)
	return (x[0]^y[0])|(x[1]^y[1])|(x[2]^y[2])|(x[3]^y[3])|(x[lastWord]^y[lastWord])&tupleKey|(e.about^a)&aboutKey == 0
}

// find returns the entry of row r's flow where the guess was wrong or the flow has ended meanwhile. It makes one if there is none.
func (c *cache) find(b *engine.Batch, in *inputs, r engine.Row, hash uint32, a about, t engine.Time) uint32 {
	at := c.at(hash)
	tuple := &in.tuple.Of(b)[r]
	for m := c.sets[at].tagged(tagOf(hash)); m != 0; m &= m - 1 {
		i := at*sets + uint32(bits.TrailingZeros32(m))
		e := &c.entries[i]
		if !e.is(tuple, a, c.tupleKey, c.aboutKey) || !c.linked(i, b, in, r) {
			continue
		}
		if c.clock > e.due && !c.keeps(e) {
			c.end(i, e.why())
			break
		}
		return i
	}
	return c.insert(b, in, r, hash, a, t)
}

// linked tells whether mark and hardware addresses agree too, where the key has them.
func (c *cache) linked(i uint32, b *engine.Batch, in *inputs, r engine.Row) bool {
	if !c.macKey && !c.markKey {
		return true
	}
	l := linkOf(b, r, in.mac, in.mark, true, true)
	have := &c.links[i]
	return (!c.macKey || l.src == have.src && l.dst == have.dst) && (!c.markKey || l.mark == have.mark)
}

// insert makes an entry for row r's flow. If all places of its set are taken, the stalest flow leaves.
func (c *cache) insert(b *engine.Batch, in *inputs, r engine.Row, hash uint32, a about, t engine.Time) uint32 {
	at := c.at(hash)
	s := &c.sets[at]
	free := s.free()
	if free == 0 {
		stale := s.stalest(c.clock >> tickShift)
		c.end(at*sets+stale, reasonPushed)
		free = 1 << stale
	}
	place := uint32(bits.TrailingZeros32(free))
	i := at*sets + place
	e := &c.entries[i]
	*e = entry{
		tuple: in.tuple.Of(b)[r], about: a, first: t, last: t,
		due: min(c.clock+c.inactive, c.clock+c.active), leave: c.clock + c.active,
	}
	s.tag[place] = tagOf(hash)
	s.due[place] = dueTick(e.due, c.clock)
	c.sooner(at, s.due[place])
	if c.links != nil {
		c.links[i] = linkOf(b, r, in.mac, in.mark, true, true)
	}
	if c.replies != nil {
		c.replies[i] = reply{}
	}
	c.live++
	c.counts.made++
	return i
}

// closing notes a FIN or RST and tells whether the flow ends with this packet.
func (c *cache) closing(i uint32, flags uint16, a about) bool {
	e := &c.entries[i]
	if flags&(tcpFIN|tcpRST) == 0 || e.state&stateEnded != 0 {
		return false
	}
	if c.biflow && flags&tcpRST == 0 {
		side := stateFin
		if (e.about^a)&aboutReverse != 0 {
			side = stateFinReply
		}
		e.state |= side
		if e.state&(stateFin|stateFinReply) != stateFin|stateFinReply {
			return false
		}
	}
	e.state |= stateEnded
	e.leave = min(e.leave, c.clock+c.linger)
	c.sooner(i/sets, dueTick(min(c.clock+c.inactive, e.leave), c.clock))
	return c.linger == 0
}

// why tells for which reason an entry that is due has ended.
func (e *entry) why() uint8 {
	switch {
	case e.due < e.leave:
		return reasonIdle
	case e.state&stateEnded != 0:
		return reasonFinished
	}
	return reasonActive
}

// whyFull tells why an entry ends with the packet just counted.
func (c *cache) whyFull(e *entry) uint8 {
	if e.state&stateEnded != 0 && c.linger == 0 {
		return reasonFinished
	}
	return reasonForced
}

// smallFlow is the most packets with which an idle flow leaves at once although the cache has room: scans and single datagrams do
// not wake again.
const smallFlow = 4

// keeps tells whether an idle flow may stay a while longer.
func (c *cache) keeps(e *entry) bool {
	return c.live < c.keepBelow && e.packets > smallFlow && e.why() == reasonIdle
}

// end makes the record of a flow and frees its place, which from then on is equal to no packet's flow.
func (c *cache) end(i uint32, reason uint8) {
	e := &c.entries[i]
	c.out.add(c, i, reason)
	c.counts.ended[reason]++
	c.sets[i/sets].tag[i%sets] = 0
	e.tuple.Version = 0
	c.live--
}

// endAll ends every flow: those that are due for their own reason, the others because they must.
func (c *cache) endAll() {
	for at := range c.sets {
		for taken := ^c.sets[at].free() & (1<<sets - 1); taken != 0; taken &= taken - 1 {
			i := uint32(at*sets + bits.TrailingZeros32(taken))
			if e := &c.entries[i]; c.clock > e.due {
				c.end(i, e.why())
			} else {
				c.end(i, reasonForced)
			}
		}
	}
}
