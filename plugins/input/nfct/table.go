// The live connections as far as they are known: 84 octets for each with its place in the index,
// and 24 for its addresses (72 for IPv6), in parts without pointers that are made as the table
// fills.

package nfct

import (
	"golang.org/x/sys/unix"

	"ulogd/engine"
)

// table finds connections by identifier, original tuple and zone: an identifier alone is reused,
// and so is a tuple.
type table struct {
	index   index
	entries slab[entry]
	addr4   slab[pair4] // by entry
	addr6   slab[pair6]
	rare    slab[rare]   // by entry
	masters slab[tuple]  // by entry
	reports slab[report] // by entry

	most int // entries that there may be

	inserted int64 // entries that there ever were

	free, free6 uint32 // chains of removed entries and IPv6 addresses
	used, used6 uint32 // entries and addresses ever used
	live        int
	hasher      hasher
	silent      int // entries that may end without an event
	helpers     names
	contexts    names
	round       uint8 // of the dump that runs or ran last
}

// entry is one connection.
type entry struct {
	start    int64    // nanoseconds since 1970
	active   int64    // a packet came then or later
	sent     counters // as the kernel counted when it was last asked
	answered counters
	id       uint32
	mark     uint32
	status   uint32
	hash     uint32
	next     uint32 // in its bucket's chain, or in that of free entries
	addr     uint32 // place in addr6; IPv4's is that of the entry
	zone     uint16
	proto    uint8
	tcpState uint8
	flags    entryFlags
	seen     uint8 // round of the last dump that found it
	helper   uint8
	context  uint8
}

type entryFlags uint8

const (
	isIPv6  entryFlags = 1 << iota
	isDated            // a dump has told when the last packet came: at active
	portsGiven
	isOdd // a dump has told that it lives by no timeout of the kernel's settings
	hasRare
	hasReport // reports[] is valid
	isSilent  // the kernel may end it without an event: it is older than the first listener
	isBegun   // its beginning has been reported
)

// pair4 and pair6 are both tuples. Where there are no ports, ICMP's identifier and its type and
// code stand in their place.
type pair4 struct {
	src, dst, rsrc, rdst         uint32
	sport, dport, rsport, rdport uint16
}

type pair6 struct {
	src, dst, rsrc, rdst         engine.Addr
	sport, dport, rsport, rdport uint16
}

// rare is what few connections have and an event of their end does not tell.
type rare struct {
	labels              engine.Label
	zoneOrig, zoneReply uint16
	has                 parts // hasLabels; hasMaster: masters[] is valid
	zones               [2]bool
}

// report remembers what was told of a connection while it lived.
type report struct {
	at                   int64    // when it was last reported
	baseSent, baseBack   counters // counted before the kernel's counters were zeroed
	reported, reportedBk counters // totals at the last report
}

func newTable(most int, h hasher) *table { return &table{index: newIndex(), hasher: h, most: most} }

// find returns the connection's entry, or 0.
func (t *table) find(f *flow) uint32 {
	h := t.hasher.hash(f)
	for i := *t.index.head(h); i != 0; {
		e := t.entries.at(i)
		if e.hash == h && e.id == f.id && e.zone == f.zone && e.proto == f.orig.proto && t.sameTuple(i, e, f) {
			return i
		}
		i = e.next
	}
	return 0
}

func (t *table) sameTuple(i uint32, e *entry, f *flow) bool {
	if e.flags&isIPv6 == 0 {
		p := t.addr4.at(i)
		return f.family != unix.AF_INET6 && p.src == f.orig.src.V4() && p.dst == f.orig.dst.V4() && p.sport == f.orig.sport && p.dport == f.orig.dport
	}
	p := t.addr6.at(e.addr)
	return f.family == unix.AF_INET6 && p.src == f.orig.src && p.dst == f.orig.dst && p.sport == f.orig.sport && p.dport == f.orig.dport
}

// insert enters a connection that find did not find. It returns 0 if the table is full.
func (t *table) insert(f *flow, start int64) uint32 {
	if t.live >= t.most {
		return 0
	}
	i := t.free
	if i != 0 {
		t.free = t.entries.at(i).next
	} else {
		t.used++
		i = t.used
		t.entries.reach(i)
	}
	t.live++
	t.inserted++
	if t.live > int(t.index.size) {
		t.index.grow(&t.entries)
	}
	e := t.entries.at(i)
	*e = entry{start: start, active: start, id: f.id, zone: f.zone, proto: f.orig.proto, hash: t.hasher.hash(f), seen: t.round}
	head := t.index.head(e.hash)
	e.next, *head = *head, i
	if f.orig.has&hasPorts != 0 {
		e.flags |= portsGiven
	}
	o, r := &f.orig, &f.reply
	if f.family != unix.AF_INET6 {
		*t.addr4.reach(i) = pair4{o.src.V4(), o.dst.V4(), r.src.V4(), r.dst.V4(), o.sport, o.dport, r.sport, r.dport}
	} else {
		e.flags |= isIPv6
		e.addr = t.free6
		if e.addr != 0 {
			t.free6 = uint32(t.addr6.at(e.addr).src.Lo)
		} else {
			t.used6++
			e.addr = t.used6
		}
		*t.addr6.reach(e.addr) = pair6{o.src, o.dst, r.src, r.dst, o.sport, o.dport, r.sport, r.dport}
	}
	t.update(i, f)
	return i
}

// update takes over what changes during a connection's life, counters apart.
func (t *table) update(i uint32, f *flow) {
	e := t.entries.at(i)
	e.mark, e.status = f.mark, f.status
	if f.has&hasTCP != 0 {
		e.tcpState = f.tcpState // never 0, which stands for none
	}
	if f.has&hasHelper != 0 {
		e.helper = t.helpers.number(f.helper)
	}
	if f.has&hasSecCtx != 0 {
		e.context = t.contexts.number(f.secctx)
	}
	if f.has&(hasLabels|hasMaster) == 0 && (f.orig.has|f.reply.has)&hasZone == 0 {
		return
	}
	x := t.rare.reach(i)
	if e.flags&hasRare == 0 {
		*x = rare{}
		e.flags |= hasRare
	}
	if f.has&hasLabels != 0 {
		x.labels = f.labels
		x.has |= hasLabels
	}
	if f.has&hasMaster != 0 {
		*t.masters.reach(i) = f.master
		x.has |= hasMaster
	}
	if f.orig.has&hasZone != 0 {
		x.zoneOrig, x.zones[0] = f.orig.zone, true
	}
	if f.reply.has&hasZone != 0 {
		x.zoneReply, x.zones[1] = f.reply.zone, true
	}
}

// remove forgets the connection.
func (t *table) remove(i uint32) {
	e := t.entries.at(i)
	link := t.index.head(e.hash)
	for *link != i {
		link = &t.entries.at(*link).next
	}
	*link = e.next
	if e.flags&isIPv6 != 0 {
		t.addr6.at(e.addr).src.Lo = uint64(t.free6)
		t.free6 = e.addr
	}
	t.unmute(i)
	*e = entry{next: t.free}
	t.free = i
	t.live--
}

// mute marks a connection that may end without an event.
func (t *table) mute(i uint32) {
	t.entries.at(i).flags |= isSilent
	t.silent++
}

func (t *table) unmute(i uint32) {
	if t.entries.at(i).flags&isSilent != 0 {
		t.entries.at(i).flags &^= isSilent
		t.silent--
	}
}

// vacant reports whether no connection is at i: all have a start.
func (t *table) vacant(i uint32) bool { return t.entries.at(i).start == 0 }

// recall makes a flow of what is remembered, with the totals counted so far.
func (t *table) recall(i uint32, f *flow) {
	e := t.entries.at(i)
	*f = flow{
		start: e.start, sent: e.sent, answered: e.answered, mark: e.mark, id: e.id, status: e.status, zone: e.zone,
		tcpState: e.tcpState, family: unix.AF_INET, has: hasID | hasCounters,
	}
	f.orig.proto, f.reply.proto = e.proto, e.proto
	o, r := &f.orig, &f.reply
	if e.flags&isIPv6 == 0 {
		p := t.addr4.at(i)
		o.src, o.dst, r.src, r.dst = engine.Addr4(p.src), engine.Addr4(p.dst), engine.Addr4(p.rsrc), engine.Addr4(p.rdst)
		o.sport, o.dport, r.sport, r.dport = p.sport, p.dport, p.rsport, p.rdport
	} else {
		p := t.addr6.at(e.addr)
		o.src, o.dst, r.src, r.dst = p.src, p.dst, p.rsrc, p.rdst
		o.sport, o.dport, r.sport, r.dport = p.sport, p.dport, p.rsport, p.rdport
		f.family = unix.AF_INET6
	}
	o.has, r.has = hasIP|hasProto, hasIP|hasProto
	if e.flags&portsGiven != 0 {
		o.has |= hasPorts
		r.has |= hasPorts
	}
	if e.proto == unix.IPPROTO_ICMP || e.proto == unix.IPPROTO_ICMPV6 {
		o.has |= hasICMP
		o.icmpType, o.icmpCode = uint8(o.dport>>8), uint8(o.dport)
	}
	if e.tcpState != 0 {
		f.has |= hasTCP
	}
	t.complete(i, f)
	if e.flags&hasReport != 0 {
		f.sent.add(t.reports.at(i).baseSent)
		f.answered.add(t.reports.at(i).baseBack)
	}
}

// complete adds what the end of a connection does not tell.
func (t *table) complete(i uint32, f *flow) {
	e := t.entries.at(i)
	if e.helper != 0 && f.has&hasHelper == 0 {
		f.helper = t.helpers.name(e.helper)
		f.has |= hasHelper
	}
	if e.context != 0 && f.has&hasSecCtx == 0 {
		f.secctx = t.contexts.name(e.context)
		f.has |= hasSecCtx
	}
	if e.flags&hasRare == 0 {
		return
	}
	x := t.rare.at(i)
	if x.has&hasLabels != 0 && f.has&hasLabels == 0 {
		f.labels = x.labels
		f.has |= hasLabels
	}
	if x.has&hasMaster != 0 && f.has&hasMaster == 0 {
		f.master = *t.masters.at(i)
		f.has |= hasMaster
	}
	if x.zones[0] {
		f.orig.zone = x.zoneOrig
		f.orig.has |= hasZone
	}
	if x.zones[1] {
		f.reply.zone = x.zoneReply
		f.reply.has |= hasZone
	}
}
