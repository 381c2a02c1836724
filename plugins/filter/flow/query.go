// The live flows, for `ulogd flows` and whoever else asks.

package flow

import (
	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
	"ulogd/engine/question"
)

// chunkSets are looked at in one go, so that packets do not wait long.
const chunkSets = question.ChunkFlows / sets

// Query implements engine.Querier.
func (s *stage) Query(ask any, from int64) (next int64, err error) {
	q, ok := ask.(*question.Flows)
	if !ok {
		return -1, engine.ErrNotAsked
	}
	c := s.cache
	at := int(from)
	end := min(at+chunkSets, len(c.sets))
	for ; at < end; at++ {
		for m := c.sets[at].taken(); m != 0; m &= m - 1 {
			c.tell(q, uint32(at)*sets+m.first())
		}
	}
	if end == len(c.sets) || q.Full() {
		return -1, nil
	}
	return int64(end), nil
}

// tell adds a live flow to an answer if it is asked for.
func (c *cache) tell(q *question.Flows, i uint32) {
	t := c.tupleOf(i)
	sport, dport := int(t.Sport), int(t.Dport)
	icmp := isICMP(&t)
	if icmp {
		sport, dport = -1, -1
	}
	is6 := t.Version == 6
	src, dst := t.Src.Netip(is6), t.Dst.Netip(is6)
	if !q.Matches(t.Proto, src, dst, sport, dport) {
		return
	}
	e := &c.entries[i]
	f := question.Flow{
		Proto: t.Proto, Src: src, Dst: dst, Packets: uint64(e.packets), Octets: e.octets,
		Start: c.origins[i].first, Last: e.last,
		Known: question.Counters | question.Start | question.Last,
	}
	switch {
	case !icmp:
		f.Sport, f.Dport = t.Sport, t.Dport
		f.Known |= question.Ports
	case t.Sport == key.ICMPKnown:
		f.ICMPType, f.ICMPCode = uint8(t.Dport>>8), uint8(t.Dport)
		f.Known |= question.ICMP
	}
	if c.replies != nil {
		y := &c.replies[i]
		f.ReplyPackets, f.ReplyOctets = uint64(y.packets), y.octets
		f.Last = max(f.Last, y.last)
		f.Known |= question.ReplyCounters
	}
	if t.Proto == ipproto.TCP {
		f.Flags = e.flags
		f.Known |= question.Flags
	}
	if e.about&aboutHasIfindex != 0 {
		f.In = uint32(e.about & aboutIfindex)
		f.Known |= question.In
	}
	if out := c.origins[i].ifout; out != 0 {
		f.Out = out
		f.Known |= question.Out
	}
	q.Add(&f)
}
