package pcap

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	_ "ulogd/plugins/output/null"
	"ulogd/test/nstest"
	"ulogd/test/packettest"
	"ulogd/test/stacktest"
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
				stacktest.Run(b, fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
file = %q
filter = %q
`, path, filter))
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/float64(packets), "cpu-ns/packet")
		})
	}
}

// BenchmarkLive measures how many packets pass from one end of a cable to columns at the other;
// what sends them has a share in it.
func BenchmarkLive(b *testing.B) {
	for _, fanout := range []int{1, 2} {
		b.Run(fmt.Sprint("fanout=", fanout), func(b *testing.B) {
			x, y := nstest.New(b), nstest.New(b)
			nstest.Veth(b, x, y, "va", "192.0.2.1/24", "vb", "192.0.2.2/24")
			d := stacktest.Start(b, fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
network_namespace_path = %q
interface = "vb"
filter = "udp port 9999"
fanout = %d
`, y.Path(), fanout))
			var sent int64
			for b.Loop() {
				sent += flood(b, x, "va", 500_000)
			}
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds()/1e6, "Mpackets/s")
			b.ReportMetric(float64(d.Count("in", "ring")), "lost")
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
