//go:build !small

// Decompressing captures.

package pcap

import (
	"bufio"
	"compress/bzip2"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds what a zstd file may ask for; zstd's own limit is the same.
const maxWindow = 128 << 20

// unpack reads what is compressed in b.
func unpack(form form, b *bufio.Reader) (io.Reader, io.Closer, error) {
	switch form {
	case gzipped:
		z, err := gzip.NewReader(b)
		return z, z, err
	case zstandard:
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.IOReadCloser(), nil
	case xzed:
		z, err := xz.NewReader(b)
		return z, nothing, err
	case bzipped:
		return bzip2.NewReader(b), nothing, nil
	}
	return &lz4Frames{src: b, frame: lz4.NewReader(b)}, nothing, nil
}

// nothing is to be closed of decompressors that hold only memory.
var nothing = io.NopCloser(nil)

// lz4Frames reads frames one after the other, as cat makes them; the library reads one.
type lz4Frames struct {
	src   *bufio.Reader
	frame *lz4.Reader
}

func (z *lz4Frames) Read(p []byte) (int, error) {
	for {
		n, err := z.frame.Read(p)
		if n > 0 || err != io.EOF {
			return n, err
		}
		if _, err := z.src.Peek(1); err != nil {
			return 0, err
		}
		z.frame.Reset(z.src)
	}
}
