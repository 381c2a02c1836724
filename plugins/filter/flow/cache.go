// The cache: each packet is counted in its flow.

package flow

import (
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
	keepBelow                int    // number of live flows below which idle ones may stay
	keyed                    lookup // the bits that tell flows apart
	macKey, markKey, biflow  bool

	started bool
	replay  bool // the clock is packet time
	clock   int64
	swept   int64 // tick of the last sweep
	live    int

	timeline *timeline

	slot   [engine.BatchSize]uint32 // of each row of the batch: where its flow most likely is
	fresh  [engine.BatchSize]uint32 // places where a flow is likely to be made
	six    [engine.BatchSize]uint32 // and those of IPv6
	others [engine.BatchSize]uint32 // second places with a flow's tag
	come   [dueBuffer]uint32        // sets that the sweep looks at
	due    [dueBuffer]uint32        // and entries
	warm   uint64                   // keeps the compiler from leaving out loads that only fetch cache lines

	counts counts
}

// maxPackets is the most that an entry, and a NetFlow v5 record, can count.
const maxPackets = 1<<32 - 1

func (f *flow) cache(p *engine.Binder, t *timeline) *cache {
	fields := f.fields()
	c := &cache{
		timeline: t,
		slots:    (f.maxFlows + f.workers - 1) / f.workers,
		inactive: int64(f.inactive), active: int64(f.active), linger: int64(f.linger),
		keyed:  f.keyed(),
		macKey: slices.Contains(fields, "mac"), markKey: slices.Contains(fields, "mark"), biflow: f.biflow,
		counts: newCounts(p.Stats()),
	}
	c.keepBelow = int(int64(c.slots) * int64(f.keepIdleBelow) / 100)
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
	if c.origins, err = take[origin](&c.memory, n*sets); err != nil {
		return err
	}
	if c.pairs, err = take[pair](&c.memory, n*sets); err != nil {
		return err
	}
	if c.next, err = take[uint8](&c.memory, (n+7)&^7); err != nil { // the sweep reads eight at once
		return err
	}
	c.next = c.next[:n]
	if c.linkWanted() {
		if c.links, err = take[link](&c.memory, n*sets); err != nil {
			return err
		}
	}
	if c.out.labels.wanted() {
		if c.labels, err = take[labels](&c.memory, n*sets); err != nil {
			return err
		}
	}
	if c.biflow {
		if c.replies, err = take[reply](&c.memory, n*sets); err != nil {
			return err
		}
	}
	if c.out.hops.wanted() {
		c.hops, err = take[hops](&c.memory, n*sets)
	}
	return err
}

// linkWanted reports whether entries have marks and hardware addresses: the key has some, or
// somebody reads them.
func (c *cache) linkWanted() bool { return c.macKey || c.markKey || c.out.linkWanted() }

func (c *cache) close() error {
	c.table = table{memory: c.memory}
	return release(&c.memory)
}

// begin is called before the packets of a batch are counted, of which the first came at an instant.
func (c *cache) begin(first *instant) {
	if c.started {
		return
	}
	c.started = true
	c.pass(first.clock)
	c.startSweeping()
}

// pass moves the clock to what the timeline says of a packet, unless that holds for the packet
// alone.
func (c *cache) pass(clock int64) {
	if clock > c.clock {
		c.clock = clock
	}
}

// locate guesses where the flow of each row is. Short loops over plain arrays let the processor
// fetch many cache lines at a time: first the sets, then the entries, which update then finds near.
// Origins are needed for new flows, and IPv6 addresses to be compared.
func (c *cache) locate(rows []engine.Row, looks *[engine.BatchSize]lookup, hash *[engine.BatchSize]uint32) {
	c.warm += c.locateSets(rows, hash)
	fresh, six, others := c.guess(rows, looks, hash)
	c.warm += fetchEntries(c.entries, rows, &c.slot)
	c.warm += fetchOthers(c.entries, c.others[:others])
	c.warm += fetchOrigins(c.origins, c.fresh[:fresh])
	c.warm += fetchPairs(c.pairs, c.six[:six])
	if c.links != nil {
		c.warm += fetchLinks(c.links, c.fresh[:fresh])
	}
}

func (c *cache) locateSets(rows []engine.Row, hash *[engine.BatchSize]uint32) (warm uint64) {
	all, slot := c.sets, &c.slot
	for _, r := range rows {
		at := uint32(uint64(hash[r]*spread) * uint64(len(all)) >> 32)
		slot[r] = at
		warm += uint64(all[at].tags[0])
	}
	return warm
}

// guess turns set numbers into places: the first with the flow's tag, or else the first free one,
// or else any. It lists those of new flows and those of IPv6, and where a second place has the tag.
func (c *cache) guess(
	rows []engine.Row, looks *[engine.BatchSize]lookup, hash *[engine.BatchSize]uint32,
) (fresh, six, others int) {
	all, slot := c.sets, &c.slot
	for _, r := range rows {
		at := slot[r]
		s := &all[at]
		found := s.tagged(tagOf(hash[r]))
		isNew := found == 0
		if isNew {
			if found = everyPlace &^ s.taken(); found == 0 {
				found = 1
			}
		}
		i := at*sets + found.first()
		slot[r] = i
		second := found & (found - 1)
		c.others[others%engine.BatchSize] = at*sets + second.first()
		if !isNew && second != 0 {
			others++
		}
		c.fresh[fresh%engine.BatchSize], c.six[six%engine.BatchSize] = i, i
		if isNew {
			fresh++
		}
		if looks[r].ports&version6 != 0 {
			six++
		}
	}
	return fresh, six, others
}

func fetchEntries(entries []entry, rows []engine.Row, slot *[engine.BatchSize]uint32) (warm uint64) {
	for _, r := range rows {
		warm += entries[slot[r]].addrs
	}
	return warm
}

func fetchOthers(entries []entry, slots []uint32) (warm uint64) {
	for _, i := range slots {
		warm += entries[i].addrs
	}
	return warm
}

func fetchOrigins(origins []origin, slots []uint32) (warm uint64) {
	for _, i := range slots {
		warm += uint64(origins[i].first)
	}
	return warm
}

func fetchPairs(pairs []pair, slots []uint32) (warm uint64) {
	for _, i := range slots {
		warm += pairs[i].src.Lo
	}
	return warm
}

func fetchLinks(links []link, slots []uint32) (warm uint64) {
	for _, i := range slots {
		warm += uint64(links[i].mark)
	}
	return warm
}

// TCP flags (RFC 9293).
const (
	tcpFIN = 0x01
	tcpSYN = 0x02
	tcpRST = 0x04
	tcpACK = 0x10
)

// update counts each packet in its flow.
func (c *cache) update(b *engine.Batch, s *stage, rows []engine.Row, at *[engine.BatchSize]instant) {
	in, looks := &s.in, &s.looks
	have, tuples, octets := b.Have(), in.tuple.Of(b), in.octets.Of(b)
	flags, flagBit := in.flags.Of(b), in.flags.Mask()
	times, timeBit := in.time.Of(b), in.time.Mask()
	segments := in.segments.Mask() // 0 where nobody gives them
	entries, keyed := c.entries, c.keyed
	links := c.macKey || c.markKey
	for _, r := range rows {
		t, clock, step := times[r], at[r].clock, at[r].step
		if have[r]&timeBit == 0 {
			t = engine.Time(b.Clock())
		}
		if clock < 0 {
			clock = ^clock
			t = engine.Time(clock - at[r].offset)
		} else if clock > c.clock {
			c.clock = clock
		}
		if have[r]&segments != 0 {
			a := s.arrival(b, r, clock, t, step)
			c.add(a)
			continue
		}
		i, l := c.slot[r], &looks[r]
		e := &entries[i]
		if !e.is(l, &keyed) || clock > e.due || l.ports&version6 != 0 && !c.pairs[i].is(&tuples[r]) || links {
			a := s.arrival(b, r, clock, t, step)
			i = c.find(a)
			e = &entries[i]
		}
		if e.step != step {
			c.rebase(i, step)
		}
		f := flags[r]
		if have[r]&flagBit == 0 {
			f = 0
		}
		last := false
		if f&(tcpFIN|tcpSYN|tcpRST) != 0 {
			if e.state&stateEnded != 0 && f&(tcpSYN|tcpACK) == tcpSYN { // a new connection with the same ports
				c.end(i, key.EndDetected)
				a := s.arrival(b, r, clock, t, step)
				i = c.insert(a)
				e = &entries[i]
			}
			last = c.closing(i, f, l.about, clock)
		}
		if (e.about^l.about)&aboutReverse == 0 {
			e.packets++
			e.octets += uint64(octets[r])
			e.flags |= f
			if t < e.last { // times run backwards
				c.origins[i].first = min(c.origins[i].first, t)
			}
			e.last = max(e.last, t)
			last = last || e.packets == maxPackets
		} else {
			y := &c.replies[i]
			y.add(1, uint64(octets[r]), f, t, tuples[r].TOS)
			last = last || y.packets == maxPackets
		}
		e.due = min(clock+c.inactive, e.leave)
		if c.hops != nil {
			c.hops[i].add((e.about^l.about)&aboutReverse != 0, in.hops.of(b, r))
		}
		if last {
			c.end(i, c.whyFull(e))
		}
	}
}

// add counts a packet by itself: one that had to wait, or that is several on the wire.
func (c *cache) add(a *arrival) {
	i := c.find(a)
	e := &c.entries[i]
	if e.step != a.step {
		c.rebase(i, a.step)
	}
	if e.state&stateEnded != 0 && a.flags&(tcpSYN|tcpACK) == tcpSYN {
		c.end(i, key.EndDetected)
		i = c.insert(a)
		e = &c.entries[i]
	}
	if c.counted(i, a.look.about) > maxPackets-a.packets {
		c.end(i, c.whyFull(e))
		i = c.insert(a)
		e = &c.entries[i]
	}
	last := c.closing(i, a.flags, a.look.about, a.clock)
	if (e.about^a.look.about)&aboutReverse == 0 {
		e.packets += a.packets
		e.octets += uint64(a.octets)
		e.flags |= a.flags
		c.origins[i].first = min(c.origins[i].first, a.time)
		e.last = max(e.last, a.time)
		last = last || e.packets == maxPackets
	} else {
		y := &c.replies[i]
		y.add(a.packets, uint64(a.octets), a.flags, a.time, a.tuple.TOS)
		last = last || y.packets == maxPackets
	}
	e.due = min(a.clock+c.inactive, e.leave)
	if c.hops != nil {
		c.hops[i].add((e.about^a.look.about)&aboutReverse != 0, a.hop)
	}
	if last {
		c.end(i, c.whyFull(e))
	}
}

// counted returns the packets of a flow in a direction.
func (c *cache) counted(i uint32, a about) uint32 {
	if e := &c.entries[i]; (e.about^a)&aboutReverse == 0 {
		return e.packets
	}
	return c.replies[i].packets
}

// rebase moves the times of a flow along with the clock that was set since.
func (c *cache) rebase(i uint32, step uint8) {
	e, o := &c.entries[i], &c.origins[i]
	by := engine.Time(c.timeline.total[step].Load() - c.timeline.total[e.step].Load())
	e.step = step
	e.last -= by
	o.first -= by
	if c.replies != nil && c.replies[i].packets > 0 {
		c.replies[i].first -= by
		c.replies[i].last -= by
	}
}

// is reports whether the entry is the flow of a packet, as far as it can without looking at IPv6
// addresses.
func (e *entry) is(l, keyed *lookup) bool {
	return e.addrs^l.addrs|(e.ports^l.ports)&keyed.ports|(e.about^l.about)&keyed.about == 0
}

// arrival is a packet as find and insert take it.
type arrival struct {
	tuple  *key.Tuple
	look   *lookup
	hash   uint32
	clock  int64
	time   engine.Time
	step   uint8
	ifout  uint32
	link   link
	labels labels

	packets, octets uint32 // what add counts
	flags, hop      uint16
}

// arrival makes one of a row. It holds until the next is made.
func (s *stage) arrival(b *engine.Batch, r engine.Row, clock int64, t engine.Time, step uint8) *arrival {
	a := &s.packet
	a.tuple, a.look, a.hash = &s.in.tuple.Of(b)[r], &s.looks[r], s.hash[r]
	a.clock, a.time, a.step = clock, t, step
	a.octets, a.packets, a.flags, a.ifout = s.in.octets.Of(b)[r], 1, 0, 0
	if s.in.flags.Has(b, r) {
		a.flags = s.in.flags.Of(b)[r]
	}
	if s.in.segments.Has(b, r) {
		a.packets = s.in.segments.Of(b)[r]
	}
	if s.in.ifout.Has(b, r) {
		a.ifout = s.in.ifout.Of(b)[r]
	}
	if s.cache.hops != nil {
		a.hop = s.in.hops.of(b, r)
	}
	if s.cache.links != nil {
		a.link = s.front.link.of(b, r)
	}
	if s.cache.labels != nil {
		a.labels = s.front.labels.of(b, r)
	}
	return a
}

// find returns the entry of a packet's flow where the guess was wrong or the flow has ended
// meanwhile. It makes one if there is none.
func (c *cache) find(p *arrival) uint32 {
	at := c.at(p.hash)
	for m := c.sets[at].tagged(tagOf(p.hash)); m != 0; m &= m - 1 {
		i := at*sets + m.first()
		e := &c.entries[i]
		if !e.is(p.look, &c.keyed) || p.look.ports&version6 != 0 && !c.pairs[i].is(p.tuple) || !c.linked(i, p) {
			continue
		}
		if p.clock > e.due && !c.keeps(e) {
			c.end(i, e.why())
			break
		}
		return i
	}
	return c.insert(p)
}

// linked reports whether mark and hardware addresses agree too, where the key has them.
func (c *cache) linked(i uint32, p *arrival) bool {
	if !c.macKey && !c.markKey {
		return true
	}
	have := &c.links[i]
	return (!c.macKey || p.link.sameMAC(have)) && (!c.markKey || p.link.sameMark(have))
}

// insert makes an entry for a packet's flow. If all places of its set are taken, the stalest flow
// leaves.
func (c *cache) insert(p *arrival) uint32 {
	at := c.at(p.hash)
	s := &c.sets[at]
	free := everyPlace &^ s.taken()
	if free == 0 {
		stale := c.stalest(at, c.clock)
		c.end(at*sets+stale, key.EndResources)
		free = only(stale)
	}
	place := free.first()
	i := at*sets + place
	c.origins[i] = origin{first: p.time, ifout: p.ifout}
	if p.look.ports&version6 != 0 {
		c.pairs[i] = pair{p.tuple.Src, p.tuple.Dst}
	}
	e := &c.entries[i]
	// One by one: a literal is made elsewhere and copied, and the copy waits for it.
	e.addrs, e.ports, e.about = p.look.addrs, p.look.ports, p.look.about
	e.packets, e.octets, e.flags, e.state, e.step = 0, 0, 0, 0, p.step
	e.last, e.due, e.leave = p.time, p.clock+min(c.inactive, c.active), p.clock+c.active
	s.tags[place] = tagOf(p.hash)
	c.lookBy(i, e.due)
	if c.links != nil {
		c.links[i] = p.link
	}
	if c.labels != nil {
		c.labels[i] = p.labels
	}
	if c.replies != nil {
		c.replies[i] = reply{}
	}
	if c.hops != nil {
		c.hops[i] = noHops
	}
	c.live++
	c.counts.made++
	return i
}

// closing notes a FIN or RST and reports whether the flow ends with this packet.
func (c *cache) closing(i uint32, flags uint16, a about, clock int64) bool {
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
	e.leave = min(e.leave, clock+c.linger)
	c.lookBy(i, min(clock+c.inactive, e.leave))
	return c.linger == 0
}

// why tells for which reason an entry that is due has ended.
func (e *entry) why() uint8 {
	switch {
	case e.due < e.leave:
		return key.EndIdle
	case e.state&stateEnded != 0:
		return key.EndDetected
	}
	return key.EndActive
}

// whyFull tells why an entry ends with the packet just counted.
func (c *cache) whyFull(e *entry) uint8 {
	if e.state&stateEnded != 0 && c.linger == 0 {
		return key.EndDetected
	}
	return key.EndForced
}

// smallFlow is the most packets with which an idle flow leaves at once although the cache has room:
// scans and single datagrams do not wake again.
const smallFlow = 4

// keeps reports whether an idle flow may stay a while longer.
func (c *cache) keeps(e *entry) bool {
	return c.live < c.keepBelow && e.packets > smallFlow && e.why() == key.EndIdle
}

// end makes the record of a flow and frees its place, which from then on is equal to no packet's
// flow.
func (c *cache) end(i uint32, reason uint8) {
	c.out.add(c, i, reason)
	c.counts.ended[reason]++
	c.sets[i/sets].tags[i%sets] = 0
	c.entries[i].ports = 0
	c.live--
}

// endAll ends every flow: those that are due for their own reason, the others because they must.
func (c *cache) endAll() {
	for at := range c.sets {
		for taken := c.sets[at].taken(); taken != 0; taken &= taken - 1 {
			i := uint32(at)*sets + taken.first()
			if e := &c.entries[i]; c.clock > e.due {
				c.end(i, e.why())
			} else {
				c.end(i, key.EndForced)
			}
		}
	}
}
