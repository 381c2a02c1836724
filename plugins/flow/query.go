package flow

// The live flows, for `ulogd flows`.

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

// question is what `ulogd flows` was asked.
type question struct {
	proto    int // -1: any
	src, dst netip.Prefix
	addr     netip.Prefix // either side
	port     int          // either side; -1: any
	order    func(a, b *entry) int
	limit    int
}

const (
	chunkSets  = 2048 // looked at in one go, so that packets do not wait long
	sortedMost = 1000 // flows listed at most when they are sorted, unless asked for another number
)

// orders are what sort= takes; the largest come first.
var orders = map[string]func(a, b *entry) int{
	"octets":  func(a, b *entry) int { return cmp.Compare(b.octets, a.octets) },
	"packets": func(a, b *entry) int { return cmp.Compare(b.packets, a.packets) },
	"end":     func(a, b *entry) int { return cmp.Compare(b.last, a.last) },
}

// ask reads the words of a question.
func ask(words []string) (q question, err error) {
	q = question{proto: -1, port: -1, limit: -1}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return q, fmt.Errorf("%q: write NAME=VALUE with one of proto, src, dst, addr, port, sort and limit", w)
		}
		switch name {
		case "proto":
			q.proto, err = strconv.Atoi(cmp.Or(map[string]string{"icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58", "sctp": "132"}[value], value))
		case "src":
			q.src, err = prefix(value)
		case "dst":
			q.dst, err = prefix(value)
		case "addr":
			q.addr, err = prefix(value)
		case "port":
			q.port, err = strconv.Atoi(value)
		case "limit":
			q.limit, err = strconv.Atoi(value)
		case "sort":
			if q.order = orders[value]; q.order == nil {
				err = fmt.Errorf("is none of octets, packets and end")
			}
		default:
			err = fmt.Errorf("is none of proto, src, dst, addr, port, sort and limit")
		}
		if err != nil {
			return q, fmt.Errorf("%s: %w", w, err)
		}
	}
	if q.order != nil && (q.limit < 0 || q.limit > 1<<20) {
		q.limit = sortedMost
	}
	return q, nil
}

// prefix reads an address or a network.
func prefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Prefix(a.BitLen())
}

// Query implements engine.Querier.
func (s *stage) Query(name string, args []string, from int, yield func(line []byte)) (int, error) {
	if name != "flows" {
		return -1, fmt.Errorf("FLOW answers flows, not %q", name)
	}
	q, err := ask(args)
	if err != nil {
		return -1, err
	}
	c := s.cache
	if q.order != nil {
		c.listSorted(&q, yield)
		return -1, nil
	}
	// A limit is kept by counting from the first chunk on: the number of lines so far stands in the high bits of from.
	listed, at := from>>32, from&(1<<32-1)
	end := min(at+chunkSets, len(c.sets))
	c.each(at, end, &q, func(i uint32) bool {
		if q.limit >= 0 && listed >= q.limit {
			return false
		}
		listed++
		yield(c.line(i))
		return true
	})
	if end == len(c.sets) || q.limit >= 0 && listed >= q.limit {
		return -1, nil
	}
	return listed<<32 | end, nil
}

// each calls f for the live flows of sets at to end that the question asks for, until f says no.
func (c *cache) each(at, end int, q *question, f func(i uint32) bool) {
	for ; at < end; at++ {
		for m := c.sets[at].taken(); m != 0; m &= m - 1 {
			i := uint32(at)*sets + m.first()
			if q.matches(c.tupleOf(i)) && !f(i) {
				return
			}
		}
	}
}

// listSorted lists the first flows in an order. It keeps twice as many as are asked for, and forgets the lesser half each time it has them.
func (c *cache) listSorted(q *question, yield func([]byte)) {
	best := make([]uint32, 0, 2*q.limit+1)
	order := func(a, b uint32) int { return q.order(&c.entries[a], &c.entries[b]) }
	trim := func() {
		slices.SortFunc(best, order)
		best = best[:min(len(best), q.limit)]
	}
	c.each(0, len(c.sets), q, func(i uint32) bool {
		if best = append(best, i); len(best) > 2*q.limit {
			trim()
		}
		return true
	})
	trim()
	for _, i := range best {
		yield(c.line(i))
	}
}

func (q *question) matches(t key.Tuple) bool {
	is6 := t.Version == 6
	src, dst := t.Src.Netip(is6), t.Dst.Netip(is6)
	in := func(p netip.Prefix, a netip.Addr) bool { return !p.IsValid() || p.Contains(a) }
	return (q.proto < 0 || q.proto == int(t.Proto)) &&
		(q.port < 0 || !isICMP(&t) && (q.port == int(t.Sport) || q.port == int(t.Dport))) &&
		in(q.src, src) && in(q.dst, dst) && (in(q.addr, src) || in(q.addr, dst))
}

// line describes a live flow.
func (c *cache) line(i uint32) []byte {
	e := &c.entries[i]
	t := c.tupleOf(i)
	is6 := t.Version == 6
	b := fmt.Appendf(nil, "proto=%d src=%s dst=%s", t.Proto, t.Src.Netip(is6), t.Dst.Netip(is6))
	if isICMP(&t) {
		b = fmt.Appendf(b, " type=%d code=%d", t.Dport>>8, t.Dport&0xff)
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
	if t.Proto == protoTCP {
		b = fmt.Appendf(b, " flags=0x%02x", e.flags)
	}
	return b
}

func stamp(t engine.Time) string {
	return time.Unix(0, int64(t)).UTC().Format("2006-01-02T15:04:05.000Z")
}
