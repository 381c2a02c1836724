package route

import (
	"math/rand/v2"
	"slices"
	"testing"

	"ulogd/engine"
)

// plain is a longest-prefix table as a list.
type plain struct {
	addr engine.Addr
	plen uint8
	hop
}

// Random prefixes come and go; every look-up must find what a list of them finds.
func TestPrefixesAgreeWithAList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	address := func() engine.Addr { // few bits differ, so that prefixes nest
		return engine.Addr{Hi: uint64(r.IntN(4))<<62 | uint64(r.IntN(16))<<30, Lo: uint64(r.IntN(4))<<63 | uint64(r.IntN(2))}
	}
	var table prefixes
	var list []plain
	for range 20000 {
		p := plain{plen: []uint8{0, 1, 2, 3, 31, 32, 33, 34, 64, 65, 66, 127, 128}[r.IntN(13)]}
		p.addr = masked(address(), p.plen)
		p.hop = hop{table: []uint32{tableMain, tableLocal, 7}[r.IntN(3)], metric: uint32(r.IntN(2)), oif: uint32(r.IntN(3))}
		if r.IntN(2) == 0 || len(list) > 60 {
			if len(list) > 0 {
				p = list[r.IntN(len(list))]
			}
			table.drop(p.addr, p.plen, p.hop)
			list = slices.DeleteFunc(list, func(o plain) bool { return o == p })
		} else {
			replace := r.IntN(4) == 0
			list = slices.DeleteFunc(list, func(o plain) bool {
				return o == p || replace && o.addr == p.addr && o.plen == p.plen && o.table == p.table && o.metric == p.metric
			})
			list = append(list, p)
			table.put(p.addr, p.plen, p.hop, replace)
		}
		if table.count != len(list) {
			t.Fatalf("%d routes, the list has %d", table.count, len(list))
		}
		a := address()
		var best *plain
		for i := range list {
			p := &list[i]
			if p.addr == masked(a, p.plen) && (best == nil || p.plen > best.plen || p.plen == best.plen && p.before(&best.hop)) {
				best = p
			}
		}
		switch n := table.lookup(a); {
		case (n == nil) != (best == nil):
			t.Fatalf("%x: found %v, the list %v", a, n, best)
		case n != nil && (n.plen != best.plen || n.best.table != best.table || n.best.metric != best.metric):
			t.Fatalf("%x: found /%d %+v, the list /%d %+v", a, n.plen, n.best, best.plen, best.hop)
		}
	}
	for _, p := range list {
		table.drop(p.addr, p.plen, p.hop)
	}
	if table.root != 0 || len(table.free) != len(table.nodes) {
		t.Errorf("nodes are left: %d of %d are free", len(table.free), len(table.nodes))
	}
}

// Nanoseconds per look-up among as many routes as the Internet has.
func BenchmarkLookup(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var table prefixes
	for range 1_000_000 {
		plen := uint8(24 - min(r.ExpFloat64()*2, 16))
		table.put(engine.Addr{Hi: uint64(r.Uint32()) << 32}, plen, hop{table: tableMain, oif: 1}, true)
	}
	b.ReportAllocs()
	for b.Loop() {
		table.lookup(engine.Addr{Hi: uint64(r.Uint32()) << 32})
	}
}
