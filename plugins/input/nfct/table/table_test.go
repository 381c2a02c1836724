package table

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/nfct/ctnetlink"
	"ulogd/test/cttest"
)

// TestTableAgainstMap does the same to the table and to a map.
func TestTableAgainstMap(t *testing.T) {
	const size = 1000
	tab, known := New(size, NewHasher()), map[int]uint32{}
	rnd := rand.New(rand.NewPCG(1, 2))
	full := 0
	for step := range 200_000 {
		n := rnd.IntN(3 * size)
		f := cttest.Some(n)
		i, ok := known[n]
		if got := tab.Find(f); got != i {
			t.Fatalf("step %d: connection %d is at %d, found at %d", step, n, i, got)
		}
		switch {
		case ok && rnd.IntN(2) == 0:
			var back ctnetlink.Flow
			tab.Recall(i, &back)
			if back.Orig != f.Orig || back.Reply != f.Reply || back.Family != f.Family || back.Start != int64(n+1) {
				t.Fatalf("step %d: connection %+v comes back as %+v", step, f, back)
			}
			tab.Remove(i)
			delete(known, n)
		case !ok:
			at := tab.Insert(f, int64(n+1))
			if at == 0 {
				if len(known) != size {
					t.Fatalf("step %d: full with %d entries", step, len(known))
				}
				full++
				continue
			}
			known[n] = at
		}
		if tab.Live != len(known) {
			t.Fatalf("step %d: %d live, want %d", step, tab.Live, len(known))
		}
	}
	if full == 0 {
		t.Error("the table was never full: the test shows nothing")
	}
}

func TestRareThingsAreRemembered(t *testing.T) {
	tab := New(10, NewHasher())
	for _, c := range cttest.Samples {
		f := cttest.Decoded(t, c.Bytes())
		i := tab.Insert(&f, 5)
		end := cttest.Decoded(
			t,
			cttest.Message{
				Event:    key.EventDestroy,
				Src:      c.Src,
				Dst:      c.Dst,
				Proto:    c.Proto,
				Sport:    c.Sport,
				Dport:    c.Dport,
				ID:       c.ID,
				Zone:     c.Zone,
				ICMPType: c.ICMPType,
			}.Bytes(),
		)
		if at := tab.Find(&end); at != i {
			t.Fatalf("%+v is at %d, its end is found at %d", c, i, at)
		}
		tab.Complete(i, &end)
		if string(end.Helper) != c.Helper || string(end.SecCtx) != c.SecCtx ||
			end.Has&ctnetlink.HasLabels != f.Has&ctnetlink.HasLabels ||
			end.Labels != f.Labels {
			t.Errorf("the end of %+v has %q %q %v", c, end.Helper, end.SecCtx, end.Labels)
		}
		if end.Orig.Zone != c.ZoneOrig || end.Reply.Zone != c.ZoneReply {
			t.Errorf("the end of %+v has zones %d %d", c, end.Orig.Zone, end.Reply.Zone)
		}
	}
}

func TestIdentityOfConnections(t *testing.T) {
	tab := New(10, NewHasher())
	first := cttest.DestroyTCP
	insert := func(c cttest.Message) uint32 {
		f := cttest.Decoded(t, c.Bytes())
		if tab.Find(&f) != 0 {
			t.Fatalf("%+v is there already", c)
		}
		return tab.Insert(&f, 1)
	}
	insert(first)
	other := first
	other.Zone = 4
	insert(other) // the same tuple in another zone
	other = first
	other.ID++
	insert(other) // the same tuple, and another connection
	other = first
	other.Sport++
	insert(other) // the same identifier, and another tuple
	if tab.Live != 4 {
		t.Errorf("%d live, want 4", tab.Live)
	}
}

// TestCounting follows the totals of a connection through zeroing and interim reports.
func TestCounting(t *testing.T) {
	tab := New(10, NewHasher())
	f := cttest.Some(1)
	i := tab.Insert(f, 100)
	kernel := func(octets uint64) *ctnetlink.Flow {
		f := cttest.Some(1)
		f.Sent, f.Answered = ctnetlink.Counters{
			Packets: octets / 10,
			Octets:  octets,
		}, ctnetlink.Counters{
			Packets: octets / 20,
			Octets:  octets / 2,
		}
		tab.Observe(i, f)
		return f
	}
	if f := kernel(1000); f.Sent.Octets != 1000 || tab.LastReport(i) != 100 {
		t.Errorf("total %d, last report %d", f.Sent.Octets, tab.LastReport(i))
	}
	f = kernel(2000)
	tab.Reported(i, f, 500)
	f = kernel(2600)
	tab.Delta(i, f)
	if f.Sent != (ctnetlink.Counters{Packets: 60, Octets: 600}) || f.Answered.Octets != 300 ||
		tab.LastReport(i) != 500 {
		t.Errorf("delta %+v", f.Sent)
	}
	tab.Zeroed(i) // the daemon zeroed the kernel's
	if f = kernel(50); f.Sent.Octets != 2650 {
		t.Errorf("total %d after zeroing, want 2650", f.Sent.Octets)
	}
	if f = kernel(10); f.Sent.Octets != 2660 {
		t.Errorf("total %d after somebody else zeroed, want 2660", f.Sent.Octets)
	}
	tab.Delta(i, f)
	if f.Sent.Octets != 660 {
		t.Errorf("delta %d, want 660", f.Sent.Octets)
	}
	tab.Recall(i, f)
	if f.Sent.Octets != 2660 {
		t.Errorf("recalled %d, want 2660", f.Sent.Octets)
	}
}

func TestEndsToldAgain(t *testing.T) {
	d := NewEnded(NewHasher(), 1<<18)
	f := cttest.Decoded(t, cttest.DestroyTCP.Bytes())
	if d.Again(d.Fingerprint(&f)) || !d.Again(d.Fingerprint(&f)) {
		t.Error("an end told again is not recognised")
	}
	f.Start++
	if d.Again(d.Fingerprint(&f)) {
		t.Error("the same identifier at another time is another connection")
	}
	f.Start = 0
	for range 2 {
		if d.Again(d.Fingerprint(&f)) {
			t.Error("without a start nobody can tell")
		}
	}
	for i := range 100_000 {
		f.Start, f.ID = int64(i+1), uint32(i)
		if d.Again(d.Fingerprint(&f)) {
			t.Fatalf("end %d was never told", i)
		}
	}
}

func TestNamesAreFew(t *testing.T) {
	var n names
	for i := range 300 {
		want := uint8(i + 1)
		if i >= 255 {
			want = 0
		}
		if got := n.number(fmt.Appendf(nil, "helper%d", i)); got != want {
			t.Fatalf("name %d has number %d", i, got)
		}
	}
	if n.number([]byte("helper7")) != 8 || string(n.name(8)) != "helper7" || n.number(nil) != 0 {
		t.Error("a name has lost its number")
	}
}

func TestTableDoesNotAllocate(t *testing.T) {
	tab, ends := New(1000, NewHasher()), NewEnded(NewHasher(), 1<<18)
	f := cttest.Some(5)
	f.Start = 1
	if n := testing.AllocsPerRun(1000, func() {
		i := tab.Insert(f, 1)
		tab.Observe(i, f)
		tab.Complete(i, f)
		ends.Again(ends.Fingerprint(f))
		tab.Remove(tab.Find(f))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTable(b *testing.B) {
	const live = 1 << 20
	tab := New(live+1, NewHasher())
	for n := range live {
		tab.Insert(cttest.Some(n), 1)
	}
	n, f := live, cttest.Some(1)
	at := func(n int) *ctnetlink.Flow {
		f.Orig.Src.Lo, f.Orig.Sport, f.ID = engine.Addr4(uint32(n)).Lo, uint16(n), uint32(n/7)
		return f
	}
	b.ReportAllocs()
	for b.Loop() {
		tab.Insert(at(n), 1)
		tab.Remove(tab.Find(at(n)))
		n++
	}
}

// FuzzTable does what the octets say and checks that what is live can be found.
func FuzzTable(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0x81, 4, 0x82, 0x84, 1})
	f.Fuzz(func(t *testing.T, program []byte) {
		tab, known := New(40, NewHasher()), map[int]bool{}
		for _, b := range program {
			n := int(b & 0x7f)
			i := tab.Find(cttest.Some(n))
			if (i != 0) != known[n] {
				t.Fatalf("connection %d: at %d, known %v", n, i, known[n])
			}
			switch {
			case b&0x80 != 0 && i != 0:
				tab.Remove(i)
				delete(known, n)
			case b&0x80 == 0 && i == 0 && tab.Insert(cttest.Some(n), 1) != 0:
				known[n] = true
			}
		}
		if tab.Live != len(known) {
			t.Fatalf("%d live, want %d", tab.Live, len(known))
		}
	})
}

// TestTableGrowsWithUse: room for a million connections costs nothing before they are there.
func TestTableGrowsWithUse(t *testing.T) {
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	tab := New(1<<20, NewHasher())
	if took := heap() - before; took > 64<<10 {
		t.Errorf("an empty table takes %d octets", took)
	}
	const n = 100_000
	for i := range n {
		if tab.Insert(cttest.Some(i), 1) == 0 {
			t.Fatalf("full with %d entries", i)
		}
	}
	if took, most := heap()-before, n*(84+24+72/3)*5/4; took > most {
		t.Errorf("%d connections take %d octets, more than %d", n, took, most)
	}
	if tab.index.size < n || tab.index.size > n+partSize {
		t.Errorf("%d chains for %d entries", tab.index.size, n)
	}
	runtime.KeepAlive(tab)
}

// TestIndexWhileItGrows finds every entry at every size.
func TestIndexWhileItGrows(t *testing.T) {
	tab, rnd := New(1<<20, NewHasher()), rand.New(rand.NewPCG(1, 2))
	const n = 5 * partSize
	for i := range n {
		tab.Insert(cttest.Some(i), 1)
		if j := rnd.IntN(i + 1); tab.Find(cttest.Some(j)) == 0 {
			t.Fatalf("with %d entries number %d is lost", i+1, j)
		}
	}
	for i := range n {
		tab.Remove(tab.Find(cttest.Some(i)))
	}
	for c := range tab.index.size {
		if *tab.index.head(c) != 0 {
			t.Fatalf("chain %d of an empty table is not empty", c)
		}
	}
}
