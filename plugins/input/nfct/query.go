// The connections that are remembered, for `ulogd flows` and whoever else asks.

package nfct

import (
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/question"
)

// Query lists live connections. Counters are those that the kernel last told of: of a connection
// that is only known from its beginning they are unknown.
func (n *nfct) Query(ask any, from int64) (next int64, err error) {
	q, ok := ask.(*question.Flows)
	if !ok {
		return -1, engine.ErrNotAsked
	}
	if n.table == nil {
		return -1, nil
	}
	at := max(int(from), 1)
	end := min(at+question.ChunkFlows, int(n.table.used)+1)
	var f flow
	for i := uint32(at); i < uint32(end); i++ {
		if !n.table.vacant(i) {
			n.table.recall(i, &f)
			f.tell(q)
		}
	}
	if end > int(n.table.used) || q.Full() {
		return -1, nil
	}
	return int64(end), nil
}

// tell adds a live connection to an answer if it is asked for.
func (f *flow) tell(q *question.Flows) {
	is6 := f.family == unix.AF_INET6
	src, dst := f.orig.src.Netip(is6), f.orig.dst.Netip(is6)
	sport, dport := -1, -1
	if f.orig.has&hasPorts != 0 {
		sport, dport = int(f.orig.sport), int(f.orig.dport)
	}
	if !q.Matches(f.orig.proto, src, dst, sport, dport) {
		return
	}
	a := question.Flow{
		Proto: f.orig.proto, Src: src, Dst: dst,
		ReplySrc: f.reply.src.Netip(is6), ReplyDst: f.reply.dst.Netip(is6),
		Start: engine.Time(f.start), Status: f.status, Mark: f.mark, ID: f.id, Zone: f.zone,
		Known: question.ReplyTuple | question.Start | question.Status | question.Mark | question.ID | question.Zone,
	}
	switch {
	case f.orig.has&hasPorts != 0:
		a.Sport, a.Dport, a.ReplySport, a.ReplyDport = f.orig.sport, f.orig.dport, f.reply.sport, f.reply.dport
		a.Known |= question.Ports
	case f.orig.has&hasICMP != 0:
		a.ICMPType, a.ICMPCode = f.orig.icmpType, f.orig.icmpCode
		a.Known |= question.ICMP
	}
	if f.sent.packets > 0 { // a connection has a packet at least: the kernel has not told
		a.Packets, a.Octets, a.ReplyPackets, a.ReplyOctets = f.sent.packets, f.sent.octets, f.answered.packets, f.answered.octets
		a.Known |= question.Counters | question.ReplyCounters
	}
	if f.has&hasTCP != 0 {
		a.State = f.tcpState
		a.Known |= question.State
	}
	q.Add(&a)
}
