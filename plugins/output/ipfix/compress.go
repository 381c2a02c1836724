//go:build !small

// Compressing what is written to a file.

package ipfix

import (
	"bytes"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packer returns what appends p to a buffer, compressed; nil: messages are written as they are.
func packer(how string) func(to, p []byte) []byte {
	switch how {
	case compressGzip:
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		return func(to, p []byte) []byte {
			out.Reset()
			z.Reset(&out)
			z.Write(p) // a buffer takes everything
			z.Close()
			return append(to, out.Bytes()...)
		}
	case compressZstd:
		z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			panic(err) // only options can be wrong
		}
		return func(to, p []byte) []byte { return z.EncodeAll(p, to) }
	}
	return nil
}
