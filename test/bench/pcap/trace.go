// The capture file that all programs read.

package main

import (
	"io"
	"os"
	"path/filepath"

	"ulogd/test/packettest"
)

// trace is a capture file.
type trace struct {
	path    string
	packets int
	size    int64
}

// trace makes the file unless an earlier run left it, and reads it into the page cache.
func (b *bench) trace(name string, t packettest.Trace) (trace, error) {
	path := filepath.Join(b.dir, name)
	if _, err := os.Stat(path); err != nil {
		f, err := os.Create(path + ".part")
		if err != nil {
			return trace{}, err
		}
		if _, err := t.Write(f); err != nil {
			return trace{}, err
		}
		if err := f.Close(); err != nil {
			return trace{}, err
		}
		if err := os.Rename(path+".part", path); err != nil {
			return trace{}, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return trace{}, err
	}
	defer f.Close()
	size, err := io.Copy(io.Discard, f)
	if err != nil {
		return trace{}, err
	}
	packets := t.Packets
	if packets == 0 {
		packets = 5_000_000
	}
	return trace{path: path, packets: packets, size: size}, nil
}
