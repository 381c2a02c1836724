// Which files are read, and in which order.

package pcap

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ulogd/engine/safefile"
)

// standardInput is the name of the capture that comes through a pipe.
const standardInput = "-"

// expand turns paths and globs into the files to read, in order: as listed, those of a glob by the
// times of their first packets, since the numbers that capture programs append do not sort as
// names.
func expand(patterns []string) ([]string, error) {
	var names []string
	for _, p := range patterns {
		if p == standardInput {
			names = append(names, p)
			continue
		}
		if _, err := os.Stat(p); err == nil {
			names = append(names, p)
			continue
		} else if !strings.ContainsAny(p, `*?[`) {
			return nil, fmt.Errorf("open capture file: %w", err)
		}
		matches, err := filepath.Glob(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		if len(matches) == 0 {
			return nil, fmt.Errorf("no capture file matches %s", p)
		}
		names = append(names, byTime(matches, safefile.OpenOthers)...)
	}
	if len(names) == 0 {
		return nil, errors.New("no capture file is named")
	}
	return names, nil
}

// byTime sorts files by the time of their first packet. Those that have none, and pipes, come last,
// by name.
func byTime(names []string, open opener) []string {
	times := make(map[string]int64, len(names))
	block := make([]byte, blockSize)
	for _, name := range names {
		times[name] = firstTime(name, open, block)
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(times[a], times[b]) })
	return names
}

// firstTime returns the time of a file's first packet, the last time there is where it cannot be
// told.
func firstTime(name string, open opener, block []byte) int64 {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return math.MaxInt64
	}
	src, err := openSource(name, open)
	if err != nil {
		return math.MaxInt64
	}
	defer src.Close()
	if err := src.unwrap(); err != nil {
		return math.MaxInt64
	}
	f, err := newFile(name, src, block)
	var first [1]frame
	for err == nil {
		if f.next(first[:]) > 0 {
			return first[0].time
		}
		err = f.fill(block)
	}
	return math.MaxInt64
}
