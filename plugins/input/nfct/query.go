// The connections that are remembered, for `ulogd flows` and whoever else asks.

package nfct

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/question"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// Query lists live connections. Events of beginnings and changes bring no counters: where those that
// are remembered are old, the kernel's table is read first. Of a connection whose counters the kernel
// does not keep they are unknown.
func (n *nfct) Query(ask any, from int64) (next int64, err error) {
	q, ok := ask.(*question.Flows)
	switch {
	case !ok:
		return -1, engine.ErrNotAsked
	case !n.hash:
		return -1, errors.New("remembers no connections, so it has none to list: hash_enable is 0")
	case n.table == nil:
		return -1, nil
	case from == 0 && !n.counted(q, time.Now()) && q.Waits():
		return from, engine.ErrLater
	case from == 0:
		q.Cost(n.dump.cost)
	}
	at := max(int(from), 1)
	end := min(at+question.ChunkFlows, int(n.table.Used)+1)
	for f := range n.table.Each(uint32(at), uint32(end)) {
		n.tell(q, f)
	}
	if end > int(n.table.Used) || q.Full() {
		return -1, nil
	}
	return int64(end), nil
}

// counted reports whether the counters that are remembered are new enough for a question, and has the
// kernel's table read if they are not. Reading at intervals is left as it is: between two polls
// nothing is seen, so that looking changes no record.
func (n *nfct) counted(q *question.Flows, now time.Time) bool {
	d := &n.dump
	if n.pollInterval > 0 || n.stopping || n.leaving || d.Socket == nil {
		return true
	}
	// The age is negative where the clock was set back.
	if age := time.Duration(now.UnixNano() - d.observed); age >= 0 && age <= q.Age(n.dumpCost()) {
		return true
	}
	if d.why != forQuestion {
		d.wanted[forQuestion] = true
	}
	return false
}

// tell adds a live connection to an answer if it is asked for.
func (n *nfct) tell(q *question.Flows, f *ctnetlink.Flow) {
	is6 := f.Family == unix.AF_INET6
	src, dst := f.Orig.Src.Netip(is6), f.Orig.Dst.Netip(is6)
	sport, dport := -1, -1
	if f.Orig.Has&ctnetlink.HasPorts != 0 {
		sport, dport = int(f.Orig.Sport), int(f.Orig.Dport)
	}
	if !q.Matches(f.Orig.Proto, src, dst, sport, dport) {
		return
	}
	a := question.Flow{
		Proto: f.Orig.Proto, Src: src, Dst: dst,
		ReplySrc: f.Reply.Src.Netip(is6), ReplyDst: f.Reply.Dst.Netip(is6),
		Start: engine.Time(f.Start), Status: f.Status, Mark: f.Mark, ID: f.ID, Zone: f.Zone,
		Known: question.ReplyTuple | question.Start | question.Status | question.Mark | question.ID | question.Zone,
	}
	switch {
	case f.Orig.Has&ctnetlink.HasPorts != 0:
		a.Sport, a.Dport, a.ReplySport, a.ReplyDport = f.Orig.Sport, f.Orig.Dport, f.Reply.Sport, f.Reply.Dport
		a.Known |= question.Ports
	case f.Orig.Has&ctnetlink.HasICMP != 0:
		a.ICMPType, a.ICMPCode = f.Orig.ICMPType, f.Orig.ICMPCode
		a.Known |= question.ICMP
	}
	if f.Sent.Packets > 0 { // a connection has a packet at least: the kernel has not told
		a.Packets, a.Octets = f.Sent.Packets, f.Sent.Octets
		a.ReplyPackets, a.ReplyOctets = f.Answered.Packets, f.Answered.Octets
		a.Counted = engine.Time(n.dump.observed)
		a.Known |= question.Counters | question.ReplyCounters
	}
	if f.Has&ctnetlink.HasTCP != 0 {
		a.State = f.TCPState
		a.Known |= question.State
	}
	q.Add(&a)
}
