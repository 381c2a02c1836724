// Memory and rate with many live flows.

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"ulogd/test/bench/measure"
)

// distinct writes a capture in which so many flows live at once.
func (b *bench) distinct(flows, packets int) (trace, error) {
	path := filepath.Join(b.dir, fmt.Sprintf("%d-flows-%d-packets.pcap", flows, packets))
	return trace{path: path, packets: packets}, measure.WriteFlows(path, flows, packets)
}

// memory compares the resident size with a cache that is full and with one that is small.
func (b *bench) memory() error {
	const flows = 1 << 20
	t, err := b.distinct(flows, 3*flows)
	if err != nil {
		return err
	}
	size := func(name, options string) (int64, error) {
		r, err := b.run(program{name: name, args: b.daemon(t, name+".toml", options), sink: true})
		return r.rss, err
	}
	few := 4096
	small, err := size("small", fmt.Sprintf("max_flows = %d", few))
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		name, option string
		most         int64
	}{{"flow", "", mostOctets}, {"biflow", "biflow = true\n", mostBiflow}} {
		large, err := size(kind.name, kind.option+fmt.Sprintf("max_flows = %d", flows))
		if err != nil {
			return err
		}
		each := (large - small) / int64(flows-few)
		b.check(each <= kind.most, "%d octets of memory for a %s that fits the cache; at most %d", each, kind.name, kind.most)
	}
	return nil
}

// scale compares the rate with many live flows to that with few, by turns: of packets whose flows live already, which is
// the difference between a long file and a short one, and of the whole run, in which each flow also begins and ends.
func (b *bench) scale() error {
	const few, many, short, long = 10_000, 1_000_000, 2_000_000, 12_000_000
	type run struct{ flows, packets int }
	traces, times := map[run]trace{}, map[run][]result{}
	var runs []run
	for _, packets := range []int{short, long} {
		for _, flows := range []int{few, many} {
			t, err := b.distinct(flows, packets)
			if err != nil {
				return err
			}
			defer os.Remove(t.path)
			runs = append(runs, run{flows, packets})
			traces[run{flows, packets}] = t
		}
	}
	for range b.rounds {
		for _, r := range runs {
			res, err := b.run(program{name: "scale", args: b.daemon(traces[r], "scale.toml", "max_flows = 2000000"), sink: true})
			if err != nil {
				return err
			}
			times[r] = append(times[r], res)
		}
	}
	seconds := func(flows, packets int) float64 { return medianOf(times[run{flows, packets}]).cpu().Seconds() }
	rate := func(flows int) float64 { return (long - short) / (seconds(flows, long) - seconds(flows, short)) }
	share := rate(many) / rate(few)
	b.check(share >= leastAtScale, "%.1f million packets per CPU second of 10,000 live flows, %.1f of 1,000,000: %.2f; at least %.2f",
		rate(few)/1e6, rate(many)/1e6, share, leastAtScale)
	fmt.Printf("       %.2f of the rate where each of the million begins and ends in %d packets\n",
		seconds(few, long)/seconds(many, long), long)
	return nil
}
