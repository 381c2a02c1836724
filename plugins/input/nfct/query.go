// The connections that are remembered, for `ulogd flows`.

package nfct

import (
	"cmp"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine/question"
)

// chunkEntries are looked at in one go, so that events do not wait long.
const chunkEntries = 4096

// Query lists live connections. Counters are those that the kernel last told of: a connection that
// is only known from its beginning has none.
func (n *nfct) Query(name string, args []string, from int64, yield func(line []byte)) (int64, error) {
	if name != "flows" {
		return -1, fmt.Errorf("NFCT answers flows, not %q", name)
	}
	q, err := question.Parse(args, "octets", "packets")
	if err != nil || n.table == nil {
		return -1, err
	}
	if q.Sort != "" {
		n.table.listSorted(&q, yield)
		return -1, nil
	}
	// A limit is kept by counting from the first chunk on: the number of lines so far stands in the
	// high bits of from.
	listed, at := int(from>>32), max(int(uint32(from)), 1)
	end := min(at+chunkEntries, int(n.table.used)+1)
	for f := range n.table.each(at, end, &q) {
		if q.Limit >= 0 && listed >= q.Limit {
			return -1, nil
		}
		listed++
		yield(f.line())
	}
	if end > int(n.table.used) {
		return -1, nil
	}
	return int64(listed)<<32 | int64(end), nil
}

// each yields the connections from at to end that are asked for; they are valid until the next one.
func (t *table) each(at, end int, q *question.Question) func(yield func(*flow) bool) {
	return func(yield func(*flow) bool) {
		var f flow
		for i := uint32(at); i < uint32(end); i++ {
			if t.vacant(i) {
				continue
			}
			t.recall(i, &f)
			is6 := f.family == unix.AF_INET6
			sport, dport := -1, -1
			if f.orig.has&hasPorts != 0 {
				sport, dport = int(f.orig.sport), int(f.orig.dport)
			}
			if q.Matches(f.orig.proto, f.orig.src.Netip(is6), f.orig.dst.Netip(is6), sport, dport) && !yield(&f) {
				return
			}
		}
	}
}

// listSorted lists the first connections in an order, both directions' counters added up.
func (t *table) listSorted(q *question.Question, yield func([]byte)) {
	count := func(f *flow) uint64 { return f.sent.octets + f.answered.octets }
	if q.Sort == "packets" {
		count = func(f *flow) uint64 { return f.sent.packets + f.answered.packets }
	}
	first := question.First(q.Limit, func(a, b flow) int { return cmp.Compare(count(&b), count(&a)) }, func(keep func(flow) bool) {
		for f := range t.each(1, int(t.used)+1, q) {
			keep(*f)
		}
	})
	for i := range first {
		yield(first[i].line())
	}
}

// line describes a live connection.
func (f *flow) line() []byte {
	b := fmt.Appendf(nil, "proto=%d", f.orig.proto)
	b = f.orig.appendTo(b, f, "")
	b = fmt.Appendf(b, " packets=%d octets=%d", f.sent.packets, f.sent.octets)
	b = f.reply.appendTo(b, f, "reply.")
	b = fmt.Appendf(b, " reply.packets=%d reply.octets=%d", f.answered.packets, f.answered.octets)
	b = fmt.Appendf(b, " start=%s", time.Unix(0, f.start).UTC().Format("2006-01-02T15:04:05.000Z"))
	return fmt.Appendf(b, " id=%d mark=%d zone=%d", f.id, f.mark, f.zone)
}

func (t *tuple) appendTo(b []byte, f *flow, prefix string) []byte {
	is6 := f.family == unix.AF_INET6
	b = fmt.Appendf(b, " %[1]ssrc=%[2]s %[1]sdst=%[3]s", prefix, t.src.Netip(is6), t.dst.Netip(is6))
	switch {
	case t.has&hasPorts != 0:
		b = fmt.Appendf(b, " %[1]ssport=%[2]d %[1]sdport=%[3]d", prefix, t.sport, t.dport)
	case f.orig.has&hasICMP != 0:
		b = fmt.Appendf(b, " %[1]stype=%[2]d %[1]scode=%[3]d %[1]sid=%[4]d", prefix, t.dport>>8, t.dport&0xff, t.sport)
	}
	return b
}
