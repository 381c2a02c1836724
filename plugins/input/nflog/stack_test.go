package nflog

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ulogd/test/stacktest"
)

// startText runs the stack that Debian ships, behind a feed.
func startText(t testing.TB) (d *stacktest.Daemon, send func([]byte), file string) {
	file = filepath.Join(t.TempDir(), "lines")
	d, send = start(t, "", "b:BASE,i:IFINDEX,s:IP2STR,p:PRINTPKT,o:LOGEMU", "[o]\nqueue = 0\nfile = \""+file+"\"")
	return d, send, file
}

// datagrams are as the kernel sends them, so many packets in each.
func datagrams(n, packets int, seq *uint32) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		for range packets {
			all[i] = logged(all[i], *seq)
			*seq++
		}
	}
	return all
}

// TestTextPathDoesNotAllocate sends packets through the whole stack, after as many that warmed it
// up.
func TestTextPathDoesNotAllocate(t *testing.T) {
	if testing.Short() { // the race detector has it run so slowly that ticks count more than packets
		t.Skip("-short")
	}
	d, send, file := startText(t)
	const packets, n = 64, 300
	var seq uint32
	var before, after runtime.MemStats
	least := 1.0
	for round := range 6 {
		batch := datagrams(n, packets, &seq)
		runtime.ReadMemStats(&before)
		for _, b := range batch {
			send(b)
		}
		d.Eventually("all packets are written", func() bool { return d.Stats("o").Out == int64(seq) })
		runtime.ReadMemStats(&after)
		if round > 0 { // the first warms up
			least = min(least, float64(after.Mallocs-before.Mallocs)/(n*packets))
		}
	}
	// What remains is the engine's ten ticks a second and this test's own looking, the more the
	// slower the machine: the best round counts.
	if least > 0.02 {
		t.Errorf("%.3f allocations a packet", least)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(text), " bench  IN=lo OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC=10.77.0.2 DST=10.77.0.1 LEN=88 "); got != int(seq) {
		t.Errorf("%d of %d lines are right; they begin with %.300s", got, seq, text)
	}
}

// BenchmarkTextPath is NFLOG, BASE, IFINDEX, IP2STR, PRINTPKT and LOGEMU, the system calls
// included.
func BenchmarkTextPath(b *testing.B) {
	for name, packets := range map[string]int{"one-a-datagram": 1, "64-a-datagram": 64} {
		b.Run(name, func(b *testing.B) {
			d, send, _ := startText(b)
			var seq uint32
			one := datagrams(1, packets, &seq)[0]
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				send(one)
				n += packets
			}
			d.Eventually("all packets are written", func() bool { return d.Stats("o").Out == int64(n) })
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
		})
	}
}

// BenchmarkDecode is the walk over a message alone.
func BenchmarkDecode(b *testing.B) {
	_, send := start(b, "", "o:RECORD", "")
	done := make(chan struct{})
	inside <- func(f *feed, batch *batch) {
		defer close(done)
		var seq uint32
		one := datagrams(1, 1, &seq)[0]
		f.block = f.arrived
		body := f.block.Data[:copy(f.block.Data, one[16:])]
		a := f.columns.of(batch)
		b.ReportAllocs()
		for b.Loop() {
			f.packet(&a, 0, body, 0)
		}
	}
	send(nil)
	<-done
}
