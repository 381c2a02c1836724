// The live connections as far as they are known: 84 octets for each with its place in the index,
// and 24 for its addresses (72 for IPv6), in parts without pointers that are made as the table
// fills.

package table

import (
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// Table finds connections by identifier, original tuple and zone: an identifier alone is reused,
// and so is a tuple.
type Table struct {
	index   index
	entries slab[entry]
	addr4   slab[pair4] // by entry
	addr6   slab[pair6]
	rare    slab[rare]            // by entry
	masters slab[ctnetlink.Tuple] // by entry
	reports slab[report]          // by entry

	Most int // entries that there may be

	Inserted int64 // entries that there ever were

	free, free6 uint32 // chains of removed entries and IPv6 addresses
	Used, used6 uint32 // entries and addresses ever used
	Live        int
	hasher      hasher
	Silent      int // entries that may end without an event
	helpers     names
	contexts    names
	Round       uint8 // of the dump that runs or ran last
}

// entry is one connection.
type entry struct {
	Start    int64              // nanoseconds since 1970
	Active   int64              // a packet came then or later
	Sent     ctnetlink.Counters // as the kernel counted when it was last asked
	Answered ctnetlink.Counters
	id       uint32
	mark     uint32
	status   uint32
	hash     uint32
	next     uint32 // in its bucket's chain, or in that of free entries
	addr     uint32 // place in addr6; IPv4's is that of the entry
	zone     uint16
	proto    uint8
	tcpState uint8
	Flags    entryFlags
	Seen     uint8 // round of the last dump that found it
	helper   uint8
	context  uint8
}

type entryFlags uint8

const (
	isIPv6  entryFlags = 1 << iota
	IsDated            // a dump has told when the last packet came: at active
	portsGiven
	IsOdd // a dump has told that it lives by no timeout of the kernel's settings
	hasRare
	hasReport // reports[] is valid
	IsSilent  // the kernel may end it without an event: it is older than the first listener
	IsBegun   // its beginning has been reported
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
	has                 ctnetlink.Parts // hasLabels; hasMaster: masters[] is valid
	zones               [2]bool
}

// report remembers what was told of a connection while it lived.
type report struct {
	at                   int64              // when it was last reported
	baseSent, baseBack   ctnetlink.Counters // counted before the kernel's counters were zeroed
	reported, reportedBk ctnetlink.Counters // totals at the last report
}

func New(most int, h hasher) *Table { return &Table{index: newIndex(), hasher: h, Most: most} }

// Find returns the connection's entry, or 0.
func (t *Table) Find(f *ctnetlink.Flow) uint32 {
	h := t.hasher.hash(f)
	for i := *t.index.head(h); i != 0; {
		e := t.entries.at(i)
		if e.hash == h && e.id == f.ID && e.zone == f.Zone && e.proto == f.Orig.Proto && t.sameTuple(i, e, f) {
			return i
		}
		i = e.next
	}
	return 0
}

func (t *Table) sameTuple(i uint32, e *entry, f *ctnetlink.Flow) bool {
	if e.Flags&isIPv6 == 0 {
		p := t.addr4.at(i)
		return f.Family != unix.AF_INET6 && p.src == f.Orig.Src.V4() && p.dst == f.Orig.Dst.V4() &&
			p.sport == f.Orig.Sport &&
			p.dport == f.Orig.Dport
	}
	p := t.addr6.at(e.addr)
	return f.Family == unix.AF_INET6 && p.src == f.Orig.Src && p.dst == f.Orig.Dst && p.sport == f.Orig.Sport &&
		p.dport == f.Orig.Dport
}

// Insert enters a connection that find did not find. It returns 0 if the table is full.
func (t *Table) Insert(f *ctnetlink.Flow, start int64) uint32 {
	if t.Live >= t.Most {
		return 0
	}
	i := t.free
	if i != 0 {
		t.free = t.entries.at(i).next
	} else {
		t.Used++
		i = t.Used
		t.entries.reach(i)
	}
	t.Live++
	t.Inserted++
	if t.Live > int(t.index.size) {
		t.index.grow(&t.entries)
	}
	e := t.entries.at(i)
	*e = entry{
		Start:  start,
		Active: start,
		id:     f.ID,
		zone:   f.Zone,
		proto:  f.Orig.Proto,
		hash:   t.hasher.hash(f),
		Seen:   t.Round,
	}
	head := t.index.head(e.hash)
	e.next, *head = *head, i
	if f.Orig.Has&ctnetlink.HasPorts != 0 {
		e.Flags |= portsGiven
	}
	o, r := &f.Orig, &f.Reply
	if f.Family != unix.AF_INET6 {
		*t.addr4.reach(i) = pair4{o.Src.V4(), o.Dst.V4(), r.Src.V4(), r.Dst.V4(), o.Sport, o.Dport, r.Sport, r.Dport}
	} else {
		e.Flags |= isIPv6
		e.addr = t.free6
		if e.addr != 0 {
			t.free6 = uint32(t.addr6.at(e.addr).src.Lo)
		} else {
			t.used6++
			e.addr = t.used6
		}
		*t.addr6.reach(e.addr) = pair6{o.Src, o.Dst, r.Src, r.Dst, o.Sport, o.Dport, r.Sport, r.Dport}
	}
	t.Update(i, f)
	return i
}

// Update takes over what changes during a connection's life, counters apart.
func (t *Table) Update(i uint32, f *ctnetlink.Flow) {
	e := t.entries.at(i)
	e.mark, e.status = f.Mark, f.Status
	if f.Has&ctnetlink.HasTCP != 0 {
		e.tcpState = f.TCPState // never 0, which stands for none
	}
	if f.Has&ctnetlink.HasHelper != 0 {
		e.helper = t.helpers.number(f.Helper)
	}
	if f.Has&ctnetlink.HasSecCtx != 0 {
		e.context = t.contexts.number(f.SecCtx)
	}
	if f.Has&(ctnetlink.HasLabels|ctnetlink.HasMaster) == 0 && (f.Orig.Has|f.Reply.Has)&ctnetlink.HasZone == 0 {
		return
	}
	x := t.rare.reach(i)
	if e.Flags&hasRare == 0 {
		*x = rare{}
		e.Flags |= hasRare
	}
	if f.Has&ctnetlink.HasLabels != 0 {
		x.labels = f.Labels
		x.has |= ctnetlink.HasLabels
	}
	if f.Has&ctnetlink.HasMaster != 0 {
		*t.masters.reach(i) = f.Master
		x.has |= ctnetlink.HasMaster
	}
	if f.Orig.Has&ctnetlink.HasZone != 0 {
		x.zoneOrig, x.zones[0] = f.Orig.Zone, true
	}
	if f.Reply.Has&ctnetlink.HasZone != 0 {
		x.zoneReply, x.zones[1] = f.Reply.Zone, true
	}
}

// Remove forgets the connection.
func (t *Table) Remove(i uint32) {
	e := t.entries.at(i)
	link := t.index.head(e.hash)
	for *link != i {
		link = &t.entries.at(*link).next
	}
	*link = e.next
	if e.Flags&isIPv6 != 0 {
		t.addr6.at(e.addr).src.Lo = uint64(t.free6)
		t.free6 = e.addr
	}
	t.Unmute(i)
	*e = entry{next: t.free}
	t.free = i
	t.Live--
}

// Mute marks a connection that may end without an event.
func (t *Table) Mute(i uint32) {
	t.entries.at(i).Flags |= IsSilent
	t.Silent++
}

func (t *Table) Unmute(i uint32) {
	if t.entries.at(i).Flags&IsSilent != 0 {
		t.entries.at(i).Flags &^= IsSilent
		t.Silent--
	}
}

// Entry returns what is remembered of the connection at i.
func (t *Table) Entry(i uint32) *entry { return t.entries.at(i) }

// Vacant reports whether no connection is at i: all have a start.
func (t *Table) Vacant(i uint32) bool { return t.entries.at(i).Start == 0 }

// Recall makes a flow of what is remembered, with the totals counted so far.
func (t *Table) Recall(i uint32, f *ctnetlink.Flow) {
	e := t.entries.at(i)
	*f = ctnetlink.Flow{
		Start: e.Start, Sent: e.Sent, Answered: e.Answered, Mark: e.mark, ID: e.id, Status: e.status, Zone: e.zone,
		TCPState: e.tcpState, Family: unix.AF_INET, Has: ctnetlink.HasID | ctnetlink.HasCounters,
	}
	f.Orig.Proto, f.Reply.Proto = e.proto, e.proto
	o, r := &f.Orig, &f.Reply
	if e.Flags&isIPv6 == 0 {
		p := t.addr4.at(i)
		o.Src, o.Dst, r.Src, r.Dst = engine.Addr4(
			p.src,
		), engine.Addr4(
			p.dst,
		), engine.Addr4(
			p.rsrc,
		), engine.Addr4(
			p.rdst,
		)
		o.Sport, o.Dport, r.Sport, r.Dport = p.sport, p.dport, p.rsport, p.rdport
	} else {
		p := t.addr6.at(e.addr)
		o.Src, o.Dst, r.Src, r.Dst = p.src, p.dst, p.rsrc, p.rdst
		o.Sport, o.Dport, r.Sport, r.Dport = p.sport, p.dport, p.rsport, p.rdport
		f.Family = unix.AF_INET6
	}
	o.Has, r.Has = ctnetlink.HasIP|ctnetlink.HasProto, ctnetlink.HasIP|ctnetlink.HasProto
	if e.Flags&portsGiven != 0 {
		o.Has |= ctnetlink.HasPorts
		r.Has |= ctnetlink.HasPorts
	}
	if e.proto == unix.IPPROTO_ICMP || e.proto == unix.IPPROTO_ICMPV6 {
		o.Has |= ctnetlink.HasICMP
		o.ICMPType, o.ICMPCode = uint8(o.Dport>>8), uint8(o.Dport)
	}
	if e.tcpState != 0 {
		f.Has |= ctnetlink.HasTCP
	}
	t.Complete(i, f)
	if e.Flags&hasReport != 0 {
		f.Sent.Add(t.reports.at(i).baseSent)
		f.Answered.Add(t.reports.at(i).baseBack)
	}
}

// Complete adds what the end of a connection does not tell.
func (t *Table) Complete(i uint32, f *ctnetlink.Flow) {
	e := t.entries.at(i)
	if e.helper != 0 && f.Has&ctnetlink.HasHelper == 0 {
		f.Helper = t.helpers.name(e.helper)
		f.Has |= ctnetlink.HasHelper
	}
	if e.context != 0 && f.Has&ctnetlink.HasSecCtx == 0 {
		f.SecCtx = t.contexts.name(e.context)
		f.Has |= ctnetlink.HasSecCtx
	}
	if e.Flags&hasRare == 0 {
		return
	}
	x := t.rare.at(i)
	if x.has&ctnetlink.HasLabels != 0 && f.Has&ctnetlink.HasLabels == 0 {
		f.Labels = x.labels
		f.Has |= ctnetlink.HasLabels
	}
	if x.has&ctnetlink.HasMaster != 0 && f.Has&ctnetlink.HasMaster == 0 {
		f.Master = *t.masters.at(i)
		f.Has |= ctnetlink.HasMaster
	}
	if x.zones[0] {
		f.Orig.Zone = x.zoneOrig
		f.Orig.Has |= ctnetlink.HasZone
	}
	if x.zones[1] {
		f.Reply.Zone = x.zoneReply
		f.Reply.Has |= ctnetlink.HasZone
	}
}

// Another reports whether the entry is that of the next connection, whose beginning was read first,
// and not of f, which has ended: an identifier and a tuple may be used again at once. It rests on
// the kernel's own times; the clock may have been set back between them.
func (t *Table) Another(i uint32, f *ctnetlink.Flow) bool {
	return f.Stamp != 0 && f.Start <= f.Stop && t.entries.at(i).Start > f.Stop
}

// Counters of a connection over its life: somebody may zero the kernel's (a signal to the daemon,
// conntrack -L -z), and a connection with interim reports counts in each what came since the one
// before.

// Observe takes the kernel's counters of f over and makes them the connection's totals.
func (t *Table) Observe(i uint32, f *ctnetlink.Flow) {
	e := t.entries.at(i)
	if f.Sent.Fewer(e.Sent) || f.Answered.Fewer(e.Answered) {
		t.Zeroed(i)
	}
	e.Sent, e.Answered = f.Sent, f.Answered
	if e.Flags&hasReport != 0 {
		f.Sent.Add(t.reports.at(i).baseSent)
		f.Answered.Add(t.reports.at(i).baseBack)
	}
}

// Zeroed moves what was counted to the base, since the kernel's counters begin anew.
func (t *Table) Zeroed(i uint32) {
	e := t.entries.at(i)
	r := t.report(i)
	r.baseSent.Add(e.Sent)
	r.baseBack.Add(e.Answered)
	e.Sent, e.Answered = ctnetlink.Counters{}, ctnetlink.Counters{}
}

// report returns the memory of what was reported, made at first use.
func (t *Table) report(i uint32) *report {
	e := t.entries.at(i)
	if e.Flags&hasReport == 0 {
		*t.reports.reach(i) = report{at: e.Start}
		e.Flags |= hasReport
	}
	return t.reports.at(i)
}

// Delta takes off the totals of f what was reported already.
func (t *Table) Delta(i uint32, f *ctnetlink.Flow) {
	if t.entries.at(i).Flags&hasReport != 0 {
		f.Sent.Sub(t.reports.at(i).reported)
		f.Answered.Sub(t.reports.at(i).reportedBk)
	}
}

// Reported notes that the totals of f are being reported.
func (t *Table) Reported(i uint32, f *ctnetlink.Flow, now int64) {
	r := t.report(i)
	r.at, r.reported, r.reportedBk = now, f.Sent, f.Answered
}

// LastReport tells when the connection was last reported, or began.
func (t *Table) LastReport(i uint32) int64 {
	if t.entries.at(i).Flags&hasReport != 0 {
		return t.reports.at(i).at
	}
	return t.entries.at(i).Start
}

// Each yields the connections from at to end; each is valid until the next one.
func (t *Table) Each(at, end uint32) func(yield func(*ctnetlink.Flow) bool) {
	return func(yield func(*ctnetlink.Flow) bool) {
		var f ctnetlink.Flow
		for i := at; i < end; i++ {
			if t.Vacant(i) {
				continue
			}
			if t.Recall(i, &f); !yield(&f) {
				return
			}
		}
	}
}
