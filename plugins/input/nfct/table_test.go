package nfct

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/key"
)

// some makes a connection of its own for each number, every third of IPv6.
func some(n int) *flow {
	f := &flow{family: unix.AF_INET, id: uint32(n / 7), event: key.EventNew}
	f.orig = tuple{src: engine.Addr4(uint32(n)), dst: engine.Addr4(1), sport: uint16(n), dport: 53, proto: 17, has: hasIP | hasProto | hasPorts}
	if n%3 == 0 {
		f.family = unix.AF_INET6
		f.orig.src.Hi = 0x20010db8 << 32
	}
	f.reply = f.orig
	f.reply.src, f.reply.dst, f.reply.sport, f.reply.dport = f.orig.dst, f.orig.src, f.orig.dport, f.orig.sport
	return f
}

// TestTableAgainstMap does the same to the table and to a map.
func TestTableAgainstMap(t *testing.T) {
	const size = 1000
	tab, known := newTable(size, newHasher()), map[int]uint32{}
	rnd := rand.New(rand.NewPCG(1, 2))
	full := 0
	for step := range 200_000 {
		n := rnd.IntN(3 * size)
		f := some(n)
		i, ok := known[n]
		if got := tab.find(f); got != i {
			t.Fatalf("step %d: connection %d is at %d, found at %d", step, n, i, got)
		}
		switch {
		case ok && rnd.IntN(2) == 0:
			var back flow
			tab.recall(i, &back)
			if back.orig != f.orig || back.reply != f.reply || back.family != f.family || back.start != int64(n+1) {
				t.Fatalf("step %d: connection %+v comes back as %+v", step, f, back)
			}
			tab.remove(i)
			delete(known, n)
		case !ok:
			at := tab.insert(f, int64(n+1))
			if at == 0 {
				if len(known) != size {
					t.Fatalf("step %d: full with %d entries", step, len(known))
				}
				full++
				continue
			}
			known[n] = at
		}
		if tab.live != len(known) {
			t.Fatalf("step %d: %d live, want %d", step, tab.live, len(known))
		}
	}
	if full == 0 {
		t.Error("the table was never full: the test shows nothing")
	}
}

func TestRareThingsAreRemembered(t *testing.T) {
	tab := newTable(10, newHasher())
	for _, c := range samples {
		f := decoded(t, c.message())
		i := tab.insert(&f, 5)
		end := decoded(t, crafted{event: key.EventDestroy, src: c.src, dst: c.dst, proto: c.proto, sport: c.sport, dport: c.dport, id: c.id, zone: c.zone, icmpType: c.icmpType}.message())
		if at := tab.find(&end); at != i {
			t.Fatalf("%+v is at %d, its end is found at %d", c, i, at)
		}
		tab.complete(i, &end)
		if string(end.helper) != c.helper || string(end.secctx) != c.secctx || end.has&hasLabels != f.has&hasLabels || end.labels != f.labels {
			t.Errorf("the end of %+v has %q %q %v", c, end.helper, end.secctx, end.labels)
		}
		if end.orig.zone != c.zoneOrig || end.reply.zone != c.zoneReply {
			t.Errorf("the end of %+v has zones %d %d", c, end.orig.zone, end.reply.zone)
		}
	}
}

func TestIdentityOfConnections(t *testing.T) {
	tab := newTable(10, newHasher())
	first := destroyTCP
	insert := func(c crafted) uint32 {
		f := decoded(t, c.message())
		if tab.find(&f) != 0 {
			t.Fatalf("%+v is there already", c)
		}
		return tab.insert(&f, 1)
	}
	insert(first)
	other := first
	other.zone = 4
	insert(other) // the same tuple in another zone
	other = first
	other.id++
	insert(other) // the same tuple, and another connection
	other = first
	other.sport++
	insert(other) // the same identifier, and another tuple
	if tab.live != 4 {
		t.Errorf("%d live, want 4", tab.live)
	}
}

// TestCounting follows the totals of a connection through zeroing and interim reports.
func TestCounting(t *testing.T) {
	tab := newTable(10, newHasher())
	f := some(1)
	i := tab.insert(f, 100)
	kernel := func(octets uint64) *flow {
		f := some(1)
		f.sent, f.answered = counters{octets / 10, octets}, counters{octets / 20, octets / 2}
		tab.observe(i, f)
		return f
	}
	if f := kernel(1000); f.sent.octets != 1000 || tab.lastReport(i) != 100 {
		t.Errorf("total %d, last report %d", f.sent.octets, tab.lastReport(i))
	}
	f = kernel(2000)
	tab.reported(i, f, 500)
	f = kernel(2600)
	tab.delta(i, f)
	if f.sent != (counters{60, 600}) || f.answered.octets != 300 || tab.lastReport(i) != 500 {
		t.Errorf("delta %+v", f.sent)
	}
	tab.zeroed(i) // the daemon zeroed the kernel's
	if f = kernel(50); f.sent.octets != 2650 {
		t.Errorf("total %d after zeroing, want 2650", f.sent.octets)
	}
	if f = kernel(10); f.sent.octets != 2660 {
		t.Errorf("total %d after somebody else zeroed, want 2660", f.sent.octets)
	}
	tab.delta(i, f)
	if f.sent.octets != 660 {
		t.Errorf("delta %d, want 660", f.sent.octets)
	}
	tab.recall(i, f)
	if f.sent.octets != 2660 {
		t.Errorf("recalled %d, want 2660", f.sent.octets)
	}
}

func TestEndsToldAgain(t *testing.T) {
	d := newEnded(newHasher(), 1<<18)
	f := decoded(t, destroyTCP.message())
	if d.again(d.fingerprint(&f)) || !d.again(d.fingerprint(&f)) {
		t.Error("an end told again is not recognised")
	}
	f.start++
	if d.again(d.fingerprint(&f)) {
		t.Error("the same identifier at another time is another connection")
	}
	f.start = 0
	for range 2 {
		if d.again(d.fingerprint(&f)) {
			t.Error("without a start nobody can tell")
		}
	}
	for i := range 100_000 {
		f.start, f.id = int64(i+1), uint32(i)
		if d.again(d.fingerprint(&f)) {
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
	tab, ends := newTable(1000, newHasher()), newEnded(newHasher(), 1<<18)
	f := some(5)
	f.start = 1
	if n := testing.AllocsPerRun(1000, func() {
		i := tab.insert(f, 1)
		tab.observe(i, f)
		tab.complete(i, f)
		ends.again(ends.fingerprint(f))
		tab.remove(tab.find(f))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTable(b *testing.B) {
	const live = 1 << 20
	tab := newTable(live+1, newHasher())
	for n := range live {
		tab.insert(some(n), 1)
	}
	n, f := live, some(1)
	at := func(n int) *flow {
		f.orig.src.Lo, f.orig.sport, f.id = engine.Addr4(uint32(n)).Lo, uint16(n), uint32(n/7)
		return f
	}
	b.ReportAllocs()
	for b.Loop() {
		tab.insert(at(n), 1)
		tab.remove(tab.find(at(n)))
		n++
	}
}

// FuzzTable does what the octets say and checks that what is live can be found.
func FuzzTable(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0x81, 4, 0x82, 0x84, 1})
	f.Fuzz(func(t *testing.T, program []byte) {
		tab, known := newTable(40, newHasher()), map[int]bool{}
		for _, b := range program {
			n := int(b & 0x7f)
			i := tab.find(some(n))
			if (i != 0) != known[n] {
				t.Fatalf("connection %d: at %d, known %v", n, i, known[n])
			}
			switch {
			case b&0x80 != 0 && i != 0:
				tab.remove(i)
				delete(known, n)
			case b&0x80 == 0 && i == 0 && tab.insert(some(n), 1) != 0:
				known[n] = true
			}
		}
		if tab.live != len(known) {
			t.Fatalf("%d live, want %d", tab.live, len(known))
		}
	})
}
