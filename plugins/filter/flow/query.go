// The live flows, for `ulogd flows`.

package flow

// The live flows, for `ulogd flows`.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
	"ulogd/engine/question"
)

// chunkSets are looked at in one go, so that packets do not wait long.
const chunkSets = 2048

// orders are what sort= takes; the largest come first.
var orders = map[string]func(a, b *entry) int{
	"octets":  func(a, b *entry) int { return cmp.Compare(b.octets, a.octets) },
	"packets": func(a, b *entry) int { return cmp.Compare(b.packets, a.packets) },
	"end":     func(a, b *entry) int { return cmp.Compare(b.last, a.last) },
}

// Query implements engine.Querier.
func (s *stage) Query(name string, args []string, from int64, yield func(line []byte)) (int64, error) {
	if name != "flows" {
		return -1, fmt.Errorf("FLOW answers flows, not %q", name)
	}
	q, err := question.Parse(args, slices.Sorted(maps.Keys(orders))...)
	if err != nil {
		return -1, err
	}
	c := s.cache
	if q.Sort != "" {
		c.listSorted(&q, yield)
		return -1, nil
	}
	// A limit is kept by counting from the first chunk on: the number of lines so far stands in the
	// high bits of from.
	listed, at := int(from>>32), int(uint32(from))
	end := min(at+chunkSets, len(c.sets))
	c.each(at, end, &q, func(i uint32) bool {
		if q.Limit >= 0 && listed >= q.Limit {
			return false
		}
		listed++
		yield(c.line(i))
		return true
	})
	if end == len(c.sets) || q.Limit >= 0 && listed >= q.Limit {
		return -1, nil
	}
	return int64(listed)<<32 | int64(end), nil
}

// each calls f for the live flows of sets at to end that the question asks for, until f says no.
func (c *cache) each(at, end int, q *question.Question, f func(i uint32) bool) {
	for ; at < end; at++ {
		for m := c.sets[at].taken(); m != 0; m &= m - 1 {
			i := uint32(at)*sets + m.first()
			if matches(q, c.tupleOf(i)) && !f(i) {
				return
			}
		}
	}
}

// listSorted lists the first flows in an order.
func (c *cache) listSorted(q *question.Question, yield func([]byte)) {
	order := orders[q.Sort]
	first := question.First(q.Limit, func(a, b uint32) int { return order(&c.entries[a], &c.entries[b]) }, func(f func(uint32) bool) { c.each(0, len(c.sets), q, f) })
	for _, i := range first {
		yield(c.line(i))
	}
}

func matches(q *question.Question, t key.Tuple) bool {
	sport, dport := int(t.Sport), int(t.Dport)
	if isICMP(&t) {
		sport, dport = -1, -1
	}
	is6 := t.Version == 6
	return q.Matches(t.Proto, t.Src.Netip(is6), t.Dst.Netip(is6), sport, dport)
}

// line describes a live flow.
func (c *cache) line(i uint32) []byte {
	e := &c.entries[i]
	t := c.tupleOf(i)
	is6 := t.Version == 6
	b := fmt.Appendf(nil, "proto=%d src=%s dst=%s", t.Proto, t.Src.Netip(is6), t.Dst.Netip(is6))
	if isICMP(&t) {
		if t.Sport == key.ICMPKnown {
			b = fmt.Appendf(b, " type=%d code=%d", t.Dport>>8, t.Dport&0xff)
		}
	} else {
		b = fmt.Appendf(b, " sport=%d dport=%d", t.Sport, t.Dport)
	}
	b = fmt.Appendf(b, " packets=%d octets=%d", e.packets, e.octets)
	last := e.last
	if c.replies != nil {
		y := &c.replies[i]
		b = fmt.Appendf(b, " reply.packets=%d reply.octets=%d", y.packets, y.octets)
		last = max(last, y.last)
	}
	b = fmt.Appendf(b, " start=%s end=%s", stamp(c.origins[i].first), stamp(last))
	if t.Proto == ipproto.TCP {
		b = fmt.Appendf(b, " flags=0x%02x", e.flags)
	}
	return b
}

func stamp(t engine.Time) string {
	return time.Unix(0, int64(t)).UTC().Format("2006-01-02T15:04:05.000Z")
}
