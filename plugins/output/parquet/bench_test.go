// What a row costs: from store rows to octets of a file, beside the library alone.

package parquet

import (
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

func BenchmarkGroup(b *testing.B) {
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
	const rows = 122880
	g := newGroup(s)
	v := make([]store.Value, len(s.Keys))
	x := uint64(1)
	clock := int64(1704067200) * int64(time.Second)
	addr := make([]byte, 4)
	var adding, encoding time.Duration
	for b.Loop() {
		t0 := time.Now()
		for range rows {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			clock += 100000
			for i, k := range s.Keys {
				v[i] = store.Value{Valid: true}
				switch k.Type {
				case engine.AddrType:
					addr[0], addr[1], addr[2], addr[3] = 10, 0, byte(x>>8&3), byte(x>>16)
					v[i].Bytes = addr
				case engine.TimeType:
					v[i].N = uint64(clock)
				case engine.Uint16Type:
					v[i].N = x >> 20 & 0xffff
				case engine.Uint64Type:
					v[i].N = x >> 30 & 0x3fff
				case engine.Uint8Type:
					v[i].N = 6
				default:
					v[i].N = 4
				}
			}
			g.add(v, clock)
		}
		t1 := time.Now()
		if _, err := g.encode(); err != nil {
			b.Fatal(err)
		}
		adding += t1.Sub(t0)
		encoding += time.Since(t1)
	}
	b.ReportMetric(float64(adding.Nanoseconds())/float64(b.N)/rows, "ns/row-add")
	b.ReportMetric(float64(encoding.Nanoseconds())/float64(b.N)/rows, "ns/row-encode")
}
