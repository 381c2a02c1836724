// Memory and rate with many live flows.

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// distinct writes a capture in which so many flows live at once, and then go on taking packets in
// an order without pattern.
func (b *bench) distinct(flows, packets int) (trace, error) {
	path := filepath.Join(b.dir, fmt.Sprintf("%d-flows.pcap", flows))
	f, err := os.Create(path)
	if err != nil {
		return trace{}, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	le, be := binary.LittleEndian, binary.BigEndian
	header := make([]byte, 24)
	le.PutUint32(header, 0xa1b23c4d)
	le.PutUint16(header[4:], 2)
	le.PutUint16(header[6:], 4)
	le.PutUint32(header[16:], 65535)
	le.PutUint32(header[20:], 101) // raw IP
	w.Write(header)
	const length = 40
	record := make([]byte, 16+length)
	ip := record[16:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	be.PutUint16(ip[2:], length)
	be.PutUint16(ip[22:], 443)
	be.PutUint16(ip[24:], 20)
	le.PutUint32(record[8:], length)
	le.PutUint32(record[12:], length)
	x := uint64(1)
	for i := range packets {
		n := uint64(i)
		if i >= flows {
			x = x*6364136223846793005 + 1442695040888963407
			n = (x >> 33) % uint64(flows)
		}
		at := time.Unix(1714564800, int64(i)*1000) // a million packets a second: nobody is idle
		le.PutUint32(record, uint32(at.Unix()))
		le.PutUint32(record[4:], uint32(at.Nanosecond()))
		be.PutUint32(ip[12:], 0x0a000000+uint32(n))
		be.PutUint32(ip[16:], 0xc6120000+uint32(n%5000))
		be.PutUint16(ip[20:], uint16(n))
		w.Write(record)
	}
	if err := w.Flush(); err != nil {
		return trace{}, err
	}
	return trace{path: path, packets: packets}, nil
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
