// Command figures runs the micro-benchmarks that have a figure to meet and fails when one misses
// it. It is a part of `make bench`.
//
// Machines differ and are shared: of three runs the best counts, and a figure is what a record may
// cost at the most.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// figure is one benchmark and what it must not exceed.
type figure struct {
	pkg, bench string
	nanos      float64 // per record
	allocs     float64 // per operation of the benchmark: 0, or what one run needs to start
	what       string
}

var figures = []figure{
	{"./stacks", "BenchmarkEngine/GEN-NULL", 10, 0, "engine alone, GEN to a null output"},
	{"./stacks", "BenchmarkEngine/three-filters", 10, 0, "engine with three filters"},
	{"./plugins/input/nfct/ctnetlink", "BenchmarkDecode", 100, 0, "a conntrack event decoded"},
	{"./plugins/input/nfct", "BenchmarkReceive/stateless", 710, 10_000, "250,000 conntrack events, kernel to columns"},
	{"./plugins/output/ipfix", "BenchmarkEncode/uniflow", 40, 0, "an IPFIX record of a connection encoded"},
	{"./plugins/output/ipfix", "BenchmarkEncode/flow", 40, 0, "an IPFIX record of a packet flow encoded"},
	{"./test/bench/text", "BenchmarkText/LOGEMU", 900, 0, "a packet, BASE to LOGEMU"},
	{"./test/bench/text", "BenchmarkText/SYSLOG", 9000, 0, "a packet, BASE to SYSLOG, a system call each"},
	{"./test/bench/text", "BenchmarkText/GPRINT", 2500, 0, "a packet, BASE to GPRINT"},
	{"./test/bench/text", "BenchmarkText/OPRINT", 3000, 0, "a packet, BASE to OPRINT"},
	{"./test/bench/text", "BenchmarkText/JSON", 2500, 0, "a packet, BASE to JSON"},
	{"./test/bench/text", "BenchmarkText/PCAP", 300, 0, "a packet, BASE to PCAP"},
	{"./test/bench/text", "BenchmarkText/PCAPNG", 400, 0, "a packet, BASE to PCAP in pcapng's format"},
	{"./test/bench/text", "BenchmarkText/LOGEMU-flows", 1200, 0, "a flow, IP2STR to LOGEMU"},
	{"./test/bench/text", "BenchmarkText/NACCT", 700, 0, "a flow, IP2STR to NACCT"},
	{"./test/bench/text", "BenchmarkText/GPRINT-flows", 3000, 0, "a flow, IP2STR to GPRINT"},
	{"./test/bench/text", "BenchmarkText/JSON-flows", 3000, 0, "a flow, IP2STR to JSON"},
	{"./plugins/output/xml", "BenchmarkXML", 1500, 0, "a packet to XML"},
	{"./plugins/output/graphite", "BenchmarkGRAPHITE", 1000, 0, "a counter to GRAPHITE"},
	{"./plugins/output/ipfix", "BenchmarkFile/none", 400, 0, "an IPFIX record encoded and written to a file"},
	{"./plugins/output/ipfix", "BenchmarkFile/gzip", 900, 0, "an IPFIX record encoded and written to a gzip file"},
	{"./plugins/output/ipfix", "BenchmarkFile/zstd", 500, 0, "an IPFIX record encoded and written to a zstd file"},
	{"./plugins/output/ipfix", "BenchmarkSpool", 2000, 0, "an IPFIX record encoded and put into a full spool"},
}

func main() {
	missed := 0
	for _, f := range figures {
		nanos, allocs, err := best(f)
		verdict := "ok"
		switch {
		case err != nil:
			verdict = "FAILED: " + err.Error()
		case nanos > f.nanos:
			verdict = "MISSED"
		case allocs > f.allocs:
			verdict = "MISSED: it allocates"
		}
		if verdict != "ok" {
			missed++
		}
		fmt.Printf("%-48s %8.2f ns a record, at most %6.1f; %.0f allocations  %s\n", f.what, nanos, f.nanos, allocs, verdict)
	}
	if missed > 0 {
		fmt.Printf("%d of %d figures missed\n", missed, len(figures))
		os.Exit(1)
	}
}

// best runs a benchmark three times and returns the lowest time and allocations per record. A
// benchmark's operation is one record, unless it reports the metric ns/record or cpu-ns/event.
func best(f figure) (nanos, allocs float64, err error) {
	parts := strings.Split(f.bench, "/")
	for i, p := range parts {
		parts[i] = "^" + p + "$"
	}
	out, err := exec.Command("go", "test", "-run", "^$", "-bench", strings.Join(parts, "/"), "-benchmem", "-count", "3", f.pkg).CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, out)
	}
	nanos = -1
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "Benchmark") {
			continue
		}
		n, a := measures(strings.Fields(line))
		if nanos < 0 || n < nanos {
			nanos, allocs = n, a
		}
	}
	if nanos < 0 {
		return 0, 0, fmt.Errorf("no benchmark of that name in %s", f.pkg)
	}
	return nanos, allocs, nil
}

// measures reads "value unit" pairs of a benchmark's line.
func measures(words []string) (nanos, allocs float64) {
	perRecord := false
	for i := 2; i+1 < len(words); i += 2 {
		v, _ := strconv.ParseFloat(words[i], 64)
		switch words[i+1] {
		case "ns/record", "cpu-ns/event":
			nanos, perRecord = v, true
		case "ns/op":
			if !perRecord {
				nanos = v
			}
		case "allocs/op":
			allocs = v
		}
	}
	return nanos, allocs
}
