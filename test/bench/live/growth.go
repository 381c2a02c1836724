// What grows with the number of flows that live: what a packet costs, memory, and the time from a
// flow's end to its record.

package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/bench/measure"
	"ulogd/test/nstest"
)

const growthName = "growth"

// living are the numbers of flows that live at once.
var living = []int{1_000, 10_000, 100_000, 1_000_000, 4_000_000}

const (
	growthRate   = 50_000 // packets a second of connections that end, beside those that live
	growthRounds = 3      // runs with a file, of which the median counts

	// What follows a packet of each flow in a short and in a long file.
	shortFile, longFile = 2_000_000, 6_000_000
)

// size is what a number of living flows has shown.
type size struct {
	Flows    int
	Nanos    float64 // of CPU time for a packet of a flow that lives
	Memory   int64   // resident, in octets
	P50, P99 time.Duration
}

// growth measures all sizes up to the most.
func growth(out io.Writer, ulogd string, seconds, most int) (all []size, err error) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	fmt.Fprintf(out, "\nLiving flows\n%-12s %10s %10s %10s %10s\n", "", "ns each", "MiB", "p50 ms", "p99 ms")
	for _, flows := range living {
		if flows > most {
			break
		}
		var s size
		err := measure.Run(func(t testing.TB) {
			runtime.GC()
			s = fromFile(t, ulogd, flows)
			p := meter(ulogd, cacheFor(flows)+"inactive_timeout = 3600\n", "rate = 0") // they go on living
			pt := flowsBeside(t, p, flows, growthRate, seconds)
			if pt.lost() != 0 || pt.Own != 0 {
				t.Errorf("beside %d living flows %d of %d packets are lost, and by the daemon's count %d of all: "+
					"the machine does something else", flows, pt.lost(), pt.Sent, pt.Own)
			}
			s.P50, s.P99 = pt.P50, pt.P99
		})
		if err != nil {
			return all, err
		}
		all = append(all, s)
		fmt.Fprintf(out, "%-12d %10.1f %10.1f %10.2f %10.2f\n", s.Flows, s.Nanos, mebi(s.Memory),
			millis(s.P50), millis(s.P99))
	}
	return all, nil
}

func mebi(octets int64) float64 { return float64(octets) / (1 << 20) }

// cacheFor gives the cache twice the room that the flows need, and never less than by default.
func cacheFor(flows int) string { return fmt.Sprintf("max_flows = %d\n", max(maxFlows, 2*flows)) }

// fromFile compares a short and a long file of the same flows: between them lie packets of flows that
// live, and nothing else.
func fromFile(t testing.TB, ulogd string, flows int) size {
	dir, ns := t.TempDir(), nstest.New(t)
	sink := collect(t, ns, newLedger(1, 2)) // nothing is kept
	run := func(packets int) (cpu time.Duration, memory int64) {
		file := filepath.Join(dir, "flows.pcap")
		if err := measure.WriteFlows(file, flows, flows+packets); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(file)
		config := write(dir, "file.toml", fmt.Sprintf(`stack = "p:PCAP,b:BASE,f:FLOW,n:NETFLOW5"
[p]
file = %q
[f]
%s
[n]
host = %q
rate = 0
`, file, cacheFor(flows), sink))
		var all []time.Duration
		for range growthRounds {
			c := ns.Cmd(fmt.Sprintf("taskset -c %d %s -c %s", programCPU, ulogd, config))
			text, err := c.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", c, err, text)
			}
			all = append(all, cpuOf(c))
			memory = max(memory, int64(c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)<<10)
		}
		return measure.Percentile(all, 50), memory
	}
	short, _ := run(shortFile)
	long, memory := run(longFile)
	return size{Flows: flows, Nanos: float64((long - short).Nanoseconds()) / (longFile - shortFile), Memory: memory}
}

func cpuOf(c *exec.Cmd) time.Duration { return c.ProcessState.UserTime() + c.ProcessState.SystemTime() }

// sendLiving sends a packet of so many flows that will not end.
func sendLiving(fd, flows int) error {
	const each, rate = 1 << 20, 100_000 // addresses of 172.16/12; the pace that loses none
	var frames [measure.MostAtOnce][]byte
	for i := range frames {
		frames[i] = frame("02:00:00:00:00:99", unix.IPPROTO_UDP, udpHeaders)
	}
	s := measure.NewSender(fd, frames[:])
	_, err := measure.Pace(flows, rate, func(first, n int) error {
		for i := range n {
			number := first + i
			address(frames[i], 0xac100000+uint32(number%each), server, udpHeaders)
			binary.BigEndian.PutUint16(frames[i][portAt:], uint16(clientPort+number/each))
			binary.BigEndian.PutUint16(frames[i][portAt+2:], serverPort)
		}
		return s.Send(n)
	})
	return err
}
