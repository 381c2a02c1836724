package pcap

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/engine/packettest"
	_ "ulogd/plugins/null"
	"ulogd/stacks/stacktest"
)

// BenchmarkFile measures the CPU time per packet from a file in the page cache to columns.
func BenchmarkFile(b *testing.B) {
	const n = 1_000_000
	path := filepath.Join(b.TempDir(), "trace.pcap")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	packets, err := packettest.Trace{Packets: n, Flows: n / 8}.Write(f)
	f.Close()
	if err != nil {
		b.Fatal(err)
	}
	for _, filter := range []string{"", "ip", "tcp port 443 or udp port 53"} {
		b.Run("filter="+filter, func(b *testing.B) {
			before := cpu(b)
			for b.Loop() {
				stacktest.Run(b, fmt.Sprintf("[global]\nstack = \"in:PCAP,out:NULL\"\n[in]\nfile = %q\nfilter = %q\n", path, filter))
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/float64(packets), "cpu-ns/packet")
		})
	}
}

// cpu is what this process has used, in nanoseconds.
func cpu(t testing.TB) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
