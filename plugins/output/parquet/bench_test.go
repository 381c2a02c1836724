// What a row costs: from store rows to octets of a file, beside the library alone.

package parquet

import (
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// flows is a shape with the 20 columns of make bench-stores.
func flows() *store.Shape {
	s := &store.Shape{}
	for _, k := range []struct {
		n string
		t engine.Type
	}{
		{"oob.family", engine.Uint8Type},
		{"oob.protocol", engine.Uint16Type},
		{"orig.ip.saddr", engine.AddrType},
		{"orig.ip.daddr", engine.AddrType},
		{"orig.ip.protocol", engine.Uint8Type},
		{"orig.l4.sport", engine.Uint16Type},
		{"orig.l4.dport", engine.Uint16Type},
		{"orig.raw.pktlen", engine.Uint64Type},
		{"orig.raw.pktcount", engine.Uint64Type},
		{"reply.ip.saddr", engine.AddrType},
		{"reply.ip.daddr", engine.AddrType},
		{"reply.ip.protocol", engine.Uint8Type},
		{"reply.l4.sport", engine.Uint16Type},
		{"reply.l4.dport", engine.Uint16Type},
		{"reply.raw.pktlen", engine.Uint64Type},
		{"reply.raw.pktcount", engine.Uint64Type},
		{"ct.mark", engine.Uint32Type},
		{"ct.event", engine.Uint32Type},
		{"flow.start", engine.TimeType},
		{"flow.end", engine.TimeType},
	} {
		s.Keys = append(s.Keys, store.Key{Name: k.n, Type: k.t})
	}
	return s
}

// A maker makes rows of flows.
type maker struct {
	x     uint64
	clock int64
	row   []store.Value
	addr  [4]byte
}

func (m *maker) next(s *store.Shape) ([]store.Value, int64) {
	m.x ^= m.x << 13
	m.x ^= m.x >> 7
	m.x ^= m.x << 17
	m.clock += 100000
	for i, k := range s.Keys {
		m.row[i] = store.Value{Valid: true}
		v := &m.row[i]
		switch k.Type {
		case engine.AddrType:
			m.addr = [4]byte{10, 0, byte(m.x >> 8 & 3), byte(m.x >> 16)}
			v.Bytes = m.addr[:]
		case engine.TimeType:
			v.N = uint64(m.clock)
		case engine.Uint16Type:
			v.N = m.x >> 20 & 0xffff
		case engine.Uint64Type:
			v.N = m.x >> 30 & 0x3fff
		case engine.Uint8Type:
			v.N = 6
		default:
			v.N = 4
		}
	}
	return m.row, m.clock
}

func newMaker(s *store.Shape) *maker {
	return &maker{x: 1, clock: int64(1704067200) * int64(time.Second), row: make([]store.Value, len(s.Keys))}
}

// Neither a row that joins a group nor its share of the row group allocates anything, once buffers have grown.
func TestAllocations(t *testing.T) {
	s := flows()
	g, m := newGroup(s), newMaker(s)
	var dst []byte
	const rows = 10000
	group := func() {
		for range rows {
			g.add(m.next(s))
		}
		var err error
		if dst, _, err = g.encode(dst[:0], 4); err != nil {
			t.Fatal(err)
		}
	}
	group()
	if n := testing.AllocsPerRun(10, group); n > rows/10 {
		t.Errorf("%v allocations for %d rows", n, rows)
	}
	if n := testing.AllocsPerRun(rows, func() { g.add(m.next(s)) }); n != 0 {
		t.Errorf("%v allocations for a row", n)
	}
}

func BenchmarkGroup(b *testing.B) {
	s := flows()
	g, m := newGroup(s), newMaker(s)
	const rows = 122880
	var adding, encoding time.Duration
	var dst []byte
	for b.Loop() {
		t0 := time.Now()
		for range rows {
			g.add(m.next(s))
		}
		t1 := time.Now()
		var err error
		if dst, _, err = g.encode(dst[:0], 4); err != nil {
			b.Fatal(err)
		}
		adding += t1.Sub(t0)
		encoding += time.Since(t1)
	}
	b.ReportMetric(float64(adding.Nanoseconds())/float64(b.N)/rows, "ns/row-add")
	b.ReportMetric(float64(encoding.Nanoseconds())/float64(b.N)/rows, "ns/row-encode")
	b.ReportMetric(float64(len(dst))/rows, "octets/row")
}
