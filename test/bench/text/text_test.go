// Package text measures the outputs of text and packets behind the filters that they need: time and
// allocations per record. (XML, which names its files itself, and GRAPHITE are measured in their
// own folders.)
package text

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"

	"ulogd/engine"
	_ "ulogd/plugins"
	"ulogd/test/stacktest"
)

// stacks are outputs behind an input of packets or of flows.
var stacks = []struct{ name, mode, stack, output string }{
	{"LOGEMU", "packets", "b:BASE,i:IFINDEX,s:IP2STR,p:PRINTPKT,o:LOGEMU", ""},
	{"SYSLOG", "packets", "b:BASE,i:IFINDEX,s:IP2STR,p:PRINTPKT,o:SYSLOG", "transport = \"udp\"\nhost = \"127.0.0.1\"\n"},
	{"GPRINT", "packets", "b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,o:GPRINT", ""},
	{"OPRINT", "packets", "b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,o:OPRINT", ""},
	{"JSON", "packets", "b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,o:JSON", ""},
	{"PCAP", "packets", "b:BASE,o:PCAP", ""},
	{"PCAPNG", "packets", "b:BASE,i:IFINDEX,o:PCAP", "format = \"pcapng\"\n"},
	{"BIN", "packets", "b:BASE,m:MARK,j:IP2HBIN,k:IP2BIN,o:OPRINT", ""},
	{"LOGEMU-flows", "flows", "s:IP2STR,p:PRINTFLOW,o:LOGEMU", ""},
	{"NACCT", "flows", "s:IP2STR,o:NACCT", ""},
	{"GPRINT-flows", "flows", "s:IP2STR,j:IP2HBIN,k:IP2BIN,o:GPRINT", ""},
	{"JSON-flows", "flows", "s:IP2STR,o:JSON", ""},
}

// run sends n records through a stack and returns how many allocations that took.
func run(t testing.TB, mode, stack, output string, n int) uint64 {
	t.Helper()
	if stack[len(stack)-6:] == "SYSLOG" {
		l, err := net.ListenPacket("udp", "127.0.0.1:0") // full after a moment; what comes then is thrown away by the kernel
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.LocalAddr().String())
		output += fmt.Sprintf("port = %q\n", port)
	} else {
		output += fmt.Sprintf("file = %q\n", os.DevNull)
	}
	plan := stacktest.Plan(t, "bench.toml", fmt.Sprintf(`stack = "g:GEN,%s"
[g]
mode = %q
count = %d
[o]
queue = 0
%s`, stack, mode, n, output), &stacktest.Log{})
	if err := plan.Machine.Open(); err != nil {
		t.Fatal(err)
	}
	if b, ok := t.(*testing.B); ok {
		b.ReportAllocs()
		b.ResetTimer()
		defer b.StopTimer()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	plan.Machine.Start()
	<-plan.Machine.Ended()
	runtime.ReadMemStats(&after)
	if err := plan.Machine.Wait(); err != nil {
		t.Fatal(err)
	}
	return after.Mallocs - before.Mallocs
}

// TestNoAllocationPerRecord wants the same handful of allocations for few and for many records.
func TestNoAllocationPerRecord(t *testing.T) {
	for _, s := range stacks {
		t.Run(s.name, func(t *testing.T) {
			const least, most = 2_000, 100_000
			few, many := run(t, s.mode, s.stack, s.output, least), run(t, s.mode, s.stack, s.output, most)
			// A tick of the engine's ten times a second, and whose buffers grow: far from one for
			// each of 400 batches.
			if many > few+200 {
				t.Errorf("%d allocations for %d records, %d for %d", few, least, many, most)
			}
		})
	}
}

// One operation is one record.
func BenchmarkText(b *testing.B) {
	engine.Poison = false // stacktest's, which writes garbage into every batch
	for _, s := range stacks {
		b.Run(s.name, func(b *testing.B) { run(b, s.mode, s.stack, s.output, b.N) })
	}
}
