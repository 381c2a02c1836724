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
	path := filepath.Join(b.dir, fmt.Sprintf("%d-flows.pcap", flows))
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

// scale compares the rate with many live flows to that with few.
func (b *bench) scale() error {
	const packets = 10_000_000
	rate := map[int]float64{}
	for _, flows := range []int{10_000, 1_000_000} {
		t, err := b.distinct(flows, packets)
		if err != nil {
			return err
		}
		var all []result
		for range b.rounds {
			r, err := b.run(program{name: "scale", args: b.daemon(t, "scale.toml", "max_flows = 2000000"), sink: true})
			if err != nil {
				return err
			}
			all = append(all, r)
		}
		rate[flows] = packets / medianOf(all).cpu().Seconds()
		os.Remove(t.path)
	}
	share := rate[1_000_000] / rate[10_000]
	b.check(share >= leastAtScale, "%.1f million packets per CPU second with 10,000 live flows, %.1f with 1,000,000: %.2f; at least %.2f",
		rate[10_000]/1e6, rate[1_000_000]/1e6, share, leastAtScale)
	return nil
}
