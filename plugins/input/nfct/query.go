// The connections that are remembered, for `ulogd flows` and whoever else asks.

package nfct

import (
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/question"
	"ulogd/plugins/input/nfct/ctnetlink"
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
	end := min(at+question.ChunkFlows, int(n.table.Used)+1)
	for f := range n.table.Each(uint32(at), uint32(end)) {
		tell(q, f)
	}
	if end > int(n.table.Used) || q.Full() {
		return -1, nil
	}
	return int64(end), nil
}

// tell adds a live connection to an answer if it is asked for.
func tell(q *question.Flows, f *ctnetlink.Flow) {
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
		a.Known |= question.Counters | question.ReplyCounters
	}
	if f.Has&ctnetlink.HasTCP != 0 {
		a.State = f.TCPState
		a.Known |= question.State
	}
	q.Add(&a)
}
