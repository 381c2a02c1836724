package pcap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// standardInput is the name of the capture that comes through a pipe.
const standardInput = "-"

// expand turns paths and globs into the files to read, in order: as listed, those of a glob by name.
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
		names = append(names, matches...)
	}
	if len(names) == 0 {
		return nil, errors.New("no capture file is named")
	}
	return names, nil
}
