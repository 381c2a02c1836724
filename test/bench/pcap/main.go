// Command pcap measures how fast a capture file becomes NetFlow v5 datagrams, beside softflowd,
// nfpcapd and pmacctd as Debian has them, and an IPFIX stream.
//
//	go run ./test/bench/pcap            all of it; exits 1 when a figure is missed
//	go run ./test/bench/pcap -rounds 1  quickly
//
// It makes a trace of 5 million packets, reads it once so that it is in the page cache, and runs
// all programs by turns. What counts is CPU time, user and system, of the whole process, as the
// kernel tells it at the process's end.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"ulogd/test/packettest"
)

// What is asked of ulogd.
const (
	leastFactor  = 8    // less CPU time than the best of the others
	mostNanos    = 110  // of CPU time a packet, on a machine on which softflowd takes referenceTime
	mostWall     = 0.75 // of one worker's time on the wall, with two workers
	mostOctets   = 84   // of memory a flow of IPv4 that fits the cache
	mostBiflow   = 116  // the same with biflow
	leastAtScale = 0.7  // of the rate at 10,000 live flows, at 1,000,000
	mostIPFIX    = 1.15 // of the CPU time with NETFLOW5, when the flows go to an IPFIX collector over TCP
)

// referenceTime is what softflowd takes for the trace on the machine that mostNanos is meant for. It
// tells how fast another machine is.
const referenceTime = 4500 * time.Millisecond

func main() {
	rounds := flag.Int("rounds", 5, "runs of each program; the median counts")
	dir := flag.String("dir", "", "where to keep the traces; a new directory if empty")
	profile := flag.String("ulogd", "", "ulogd binary to measure; built anew if empty")
	flag.Parse()
	if err := run(*rounds, *dir, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "bench-pcap:", err)
		os.Exit(1)
	}
}

func run(rounds int, dir, binary string) error {
	b := &bench{rounds: rounds, dir: dir, ulogd: binary}
	if b.dir == "" {
		d, err := os.MkdirTemp("", "ulogd-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(d)
		b.dir = d
	}
	if b.ulogd == "" {
		b.ulogd = filepath.Join(b.dir, "ulogd")
		if out, err := exec.Command("go", "build", "-o", b.ulogd, "./cmd/ulogd").CombinedOutput(); err != nil {
			return fmt.Errorf("build ulogd: %w\n%s", err, out)
		}
	}
	sink, err := newSink()
	if err != nil {
		return err
	}
	defer sink.close()
	b.sink = sink
	b.stream, err = newStreamSink()
	if err != nil {
		return err
	}
	defer b.stream.close()
	trace, err := b.trace("trace.pcap", packettest.Trace{})
	if err != nil {
		return err
	}
	fmt.Printf("%d packets, %.0f MiB; %d processors, %d rounds, median CPU time\n\n", trace.packets, float64(trace.size)/(1<<20), runtime.NumCPU(), rounds)
	if err := b.speed(trace); err != nil {
		return err
	}
	if err := b.memory(); err != nil {
		return err
	}
	if err := b.scale(); err != nil {
		return err
	}
	if b.missed > 0 {
		return fmt.Errorf("%d figures missed", b.missed)
	}
	return nil
}

// bench is what the measurements share.
type bench struct {
	rounds int
	dir    string
	ulogd  string
	sink   *sink
	stream *streamSink
	missed int
}

// check prints a figure and whether it is what was asked for.
func (b *bench) check(ok bool, format string, args ...any) {
	verdict := "ok    "
	if !ok {
		verdict = "MISSED"
		b.missed++
	}
	fmt.Printf("%s %s\n", verdict, fmt.Sprintf(format, args...))
}

// speed runs all programs by turns.
func (b *bench) speed(t trace) error {
	programs := b.programs(t)
	results := map[string][]result{}
	for range b.rounds {
		for _, p := range programs {
			r, err := b.run(p)
			if err != nil {
				return err
			}
			results[p.name] = append(results[p.name], r)
		}
	}
	fmt.Printf("%-16s %8s %8s %8s %8s %12s %10s %9s\n", "", "CPU s", "user", "system", "wall s", "packets/CPU s", "ns/packet", "records")
	median := map[string]result{}
	best := ""
	for _, p := range programs {
		r := medianOf(results[p.name])
		median[p.name] = r
		if p.peer && (best == "" || r.cpu() < median[best].cpu()) {
			best = p.name
		}
		fmt.Printf("%-16s %8.3f %8.3f %8.3f %8.3f %12.2fM %10.1f %9d\n", p.name, r.cpu().Seconds(), r.user.Seconds(), r.system.Seconds(),
			r.wall.Seconds(), float64(t.packets)/r.cpu().Seconds()/1e6, float64(r.cpu().Nanoseconds())/float64(t.packets), r.records)
	}
	fmt.Println()
	ours := median[oneWorker]
	if scale, ok := median["softflowd"]; ok {
		nanos := float64(ours.cpu().Nanoseconds()) / float64(t.packets)
		most := mostNanos * scale.cpu().Seconds() / referenceTime.Seconds()
		b.check(nanos <= most, "%.0f ns of CPU time a packet; at most %d where softflowd takes %v, here %.0f", nanos,
			mostNanos, referenceTime, most)
	}
	if best != "" {
		factor := median[best].cpu().Seconds() / ours.cpu().Seconds()
		b.check(factor >= leastFactor, "%.1f times less CPU time than %s; at least %d", factor, best, leastFactor)
	}
	wall := median[twoWorkers].wall.Seconds() / ours.wall.Seconds()
	b.check(wall <= mostWall, "two workers take %.2f of the wall time of one; at most %.2f", wall, mostWall)
	share := median[overTCP].cpu().Seconds() / ours.cpu().Seconds()
	b.check(share <= mostIPFIX, "IPFIX over TCP takes %.2f of the CPU time of NetFlow v5; at most %.2f", share, mostIPFIX)
	return nil
}

func medianOf(all []result) result {
	slices.SortFunc(all, func(a, b result) int { return cmp.Compare(a.cpu(), b.cpu()) })
	m := all[len(all)/2]
	var walls []time.Duration
	for _, r := range all {
		walls = append(walls, r.wall)
	}
	slices.Sort(walls)
	m.wall = walls[len(walls)/2]
	return m
}
