// Command live measures what a daemon loses, costs and delays while load is offered to it at rising
// rates, beside other programs that do the same job on the same machine in the same run:
//
//	go run ./test/bench/live                    all scenes
//	go run ./test/bench/live -scenes nfct       one of them
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
	flag.StringVar(&o.scenes, "scenes", "", "comma-separated names of what is measured; unset: all")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench-live:", err)
		os.Exit(1)
	}
}

type options struct {
	seconds, most int
	scenes        string
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
		if o.scenes != "" && !slices.Contains(strings.Split(o.scenes, ","), s.name) {
			continue
		}
		if _, err := s.run(os.Stdout, o.seconds, o.most); err != nil {
			return err
		}
	}
	return nil
}

func scenes(ulogd string, ulogd2 measure.Ulogd2) []scene {
	return []scene{
		flowScene(ulogd),
		nflogScene(ulogd, ulogd2, 64),
		nflogScene(ulogd, ulogd2, 1),
		nfctScene(ulogd, ulogd2),
	}
}
