//go:build small

// Decompressors are left out of a build for small machines: half a megabyte of code for files that a router does not read.

package pcap

import (
	"bufio"
	"io"

	"ulogd/engine/small"
)

func unpack(form form, _ *bufio.Reader) (io.Reader, io.Closer, error) {
	return nil, nil, small.Lacks("compression ("+string(form)+")", "decompress the file first")
}
