// Command live measures what a daemon loses, costs and delays while load is offered to it at rising
// rates, beside other programs that do the same job on the same machine in the same run:
//
//	go run ./test/bench/live                    all scenes
//	go run ./test/bench/live -scenes nfct       one of them
//	go run ./test/bench/live -write             writes docs/performance.md anew, what was measured of it
//
// The sender, with what takes the records, has one processor; the program has another. Every packet or
// connection carries its number in its source address, so that what is missing is known to the packet,
// and how long each took from there to its record.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"ulogd/test/bench/measure"
	"ulogd/test/nstest"
)

func main() {
	o := options{}
	flag.IntVar(&o.seconds, "seconds", 3, "how long each step lasts")
	flag.IntVar(&o.most, "most", 1_000_000, "highest rate that is tried, a second")
	flag.StringVar(&o.scenes, "scenes", "",
		"comma-separated names of what is measured, of flows, nflog-64, nflog-1, nfct and growth; unset: all")
	flag.IntVar(&o.flows, "flows", 4_000_000, "highest number of living flows that is tried")
	flag.BoolVar(&o.write, "write", false, "write what was measured into "+page+", with its plots")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench-live:", err)
		os.Exit(1)
	}
}

type options struct {
	seconds, most, flows int
	scenes               string
	write                bool
}

// wants reports whether a scene is to be measured.
func (o options) wants(name string) bool {
	return o.scenes == "" || slices.Contains(strings.Split(o.scenes, ","), name)
}

func run(o options) error {
	dir, err := os.MkdirTemp("", "ulogd-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ulogd, err := nstest.BuildDaemon(dir)
	if err != nil {
		return err
	}
	ulogd2, err := measure.FindUlogd2()
	if err != nil {
		return err
	}
	for _, s := range scenes(ulogd, ulogd2) {
		if !o.wants(s.name) {
			continue
		}
		curves, err := s.run(os.Stdout, o.seconds, o.most)
		if err == nil && o.write {
			err = writeScene(s, curves, o.seconds)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if !o.wants(growthName) {
		return nil
	}
	sizes, err := growth(os.Stdout, ulogd, o.seconds, o.flows)
	if err == nil && o.write {
		err = writeGrowth(sizes)
	}
	return err
}

func scenes(ulogd string, ulogd2 measure.Ulogd2) []scene {
	return []scene{
		flowScene(ulogd),
		nflogScene(ulogd, ulogd2, 64),
		nflogScene(ulogd, ulogd2, 1),
		nfctScene(ulogd, ulogd2),
	}
}
