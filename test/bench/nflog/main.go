// Command nflog measures what a logged packet costs ulogd2 and this daemon, by turns on the same
// machine: a flood of UDP packets goes by a cable into a namespace where a rule logs it, and NFLOG,
// BASE, IFINDEX, IP2STR, PRINTPKT and LOGEMU write each as a line. It fails if this daemon takes
// more than a fifth of ulogd2's CPU time where the kernel hands over each packet alone, a tenth where
// it hands over 64, or if it loses one.
//
// It needs root, nft and ulogd2.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// goals are the largest parts of ulogd2's time that this daemon may take, by the queue's threshold.
var goals = map[int]float64{1: 0.2, 64: 0.1}

func main() {
	packets := flag.Int("packets", 1_000_000, "packets of each flood")
	rounds := flag.Int("rounds", 3, "floods for each daemon and each queue threshold; the best counts")
	flag.Parse()
	if err := run(*packets, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench-nflog:", err)
		os.Exit(1)
	}
}

func run(packets, rounds int) error {
	dir, err := os.MkdirTemp("/dev/shm", "bench-nflog") // in memory: a disk that other programs use would stall both daemons at random
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ours := filepath.Join(dir, "ulogd")
	if err := command("go", "build", "-buildvcs=false", "-o", ours, "ulogd/cmd/ulogd"); err != nil {
		return err
	}
	missed := false
	fmt.Printf("%-10s %-9s %10s %12s %10s %9s %12s\n", "daemon", "threshold", "sent", "packets/s", "logged", "lost", "us/packet")
	for _, threshold := range []int{1, 64} {
		var theirs, mine result
		for range rounds { // by turns, so that a change of the machine's speed meets both
			for _, d := range []struct {
				name, program string
				best          *result
			}{{"ulogd2", "/usr/sbin/ulogd", &theirs}, {"ulogd", ours, &mine}} {
				r, err := flood(dir, d.program, threshold, packets)
				if err != nil {
					return fmt.Errorf("%s: %w", d.name, err)
				}
				fmt.Printf("%-10s %-9d %10d %12.0f %10d %9d %12.3f\n", d.name, threshold, r.sent, float64(r.sent)/r.took.Seconds(), r.logged, r.sent-r.logged, r.cost())
				if d.best.logged == 0 || r.cost() < d.best.cost() {
					*d.best = r
				}
				if d.program == ours && r.logged != r.sent {
					fmt.Printf("missed: %d packets lost\n", r.sent-r.logged)
					missed = true
				}
			}
		}
		part := mine.cost() / theirs.cost()
		fmt.Printf("threshold %d: %.3f of ulogd2's CPU time a packet, goal %.1f; ulogd2 lost %.0f %%\n", threshold, part, goals[threshold], 100-100*float64(theirs.logged)/float64(theirs.sent))
		missed = missed || part > goals[threshold]
	}
	if missed {
		return fmt.Errorf("a figure was missed")
	}
	return nil
}
