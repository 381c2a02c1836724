// Package nfct measures what a flow costs from the kernel's event to the collector, beside ulogd2
// in the same run: `make bench-nfct`.
package nfct

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ulogd/test/bench/measure"
	"ulogd/test/ipfixtest"
	"ulogd/test/nstest"
)

// flows is how many connections end at once in a run.
const flows = 300_000

// rounds is how often each daemon runs; the medians are compared.
const rounds = 3

const common = `
[ct1]
hash_enable=%d
hash_max_entries=400000
hash_buckets=65536
event_mask=%d
netlink_socket_buffer_size=33554432
netlink_socket_buffer_maxsize=67108864
[ipfix1]
oid=1
host="127.0.0.1"
`

func BenchmarkNFCT(b *testing.B) {
	nstest.Need(b, "root", "nf_conntrack", "tool:conntrack", "tool:ulogd")
	nstest.ConntrackMax(b, flows+1000)
	ours, theirs := programs(b)
	load := theirs.Load("inpflow_NFCT", "output_IPFIX")
	const stack = "stack=ct1:NFCT,ipfix1:IPFIX\n"

	for _, mode := range []struct {
		name       string
		hash, mask int
		limit      float64
	}{{"stateless", 0, 4, 1.0 / 3}, {"hash", 1, 5, 0.6}} {
		b.Run(mode.name, func(b *testing.B) {
			options := fmt.Sprintf(common, mode.hash, mode.mask)
			var mine, other []float64
			for range rounds {
				other = append(other, perFlow(b, theirs.Program, load+stack+options))
				mine = append(mine, perFlow(b, ours, stack+options))
			}
			m, t := measure.Percentile(mine, 50), measure.Percentile(other, 50)
			b.ReportMetric(m, "µs/flow")
			b.ReportMetric(t, "µs/flow-of-ulogd2")
			b.ReportMetric(m/t, "ratio")
			if m/t > mode.limit {
				b.Errorf("%s: %.2f µs a flow are %.2f of ulogd2's %.2f, at most %.2f are allowed", mode.name, m, m/t, t, mode.limit)
			}
		})
	}
}

// perFlow runs a daemon through a storm and returns the CPU time of each flow that reached the
// collector, in microseconds.
func perFlow(b *testing.B, program, config string) float64 {
	b.Helper()
	ns := nstest.New(b)
	nstest.EnableConntrack(b, ns)
	collector := ipfixtest.Start(b, ns)
	path := filepath.Join(b.TempDir(), "ulogd.conf")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		b.Fatal(err)
	}
	p := ns.Start(b, program+" -v -l 3 -c "+path)
	p.WaitSubscribed(time.Minute)
	nstest.FillConntrack(b, ns, flows)
	measure.WaitIdle(p.PID())
	before := measure.CPUTime(p.PID())
	ns.Run(b, "conntrack -F")
	measure.WaitIdle(p.PID())
	used := measure.CPUTime(p.PID()) - before
	p.Stop(syscall.SIGTERM)
	collector.Sessions.Wait()
	got := collector.Records.Load()
	if got == 0 {
		b.Fatalf("%s: no flow arrived", program)
	}
	b.Logf("%s: %v for %d flows of %d", filepath.Base(filepath.Dir(program)), used, got, flows)
	return used.Seconds() * 1e6 / float64(got)
}
