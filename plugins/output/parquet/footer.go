// The end of a file, which says where its columns are. It is written behind every row group, so
// that a file is whole up to there whatever happens next.

package parquet

import (
	"encoding/binary"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const magic = "PAR1"

// parseFooter reads the end of a whole file.
func parseFooter(file []byte) (*format.FileMetaData, error) {
	end := len(file) - len(magic) - 4
	at := end - int(binary.LittleEndian.Uint32(file[end:]))
	meta := new(format.FileMetaData)
	return meta, thrift.Unmarshal(new(thrift.CompactProtocol), file[at:end], meta)
}

// appendFooter appends the end of a file.
func appendFooter(dst []byte, m *format.FileMetaData) ([]byte, error) {
	text, err := thrift.Marshal(new(thrift.CompactProtocol), m)
	if err != nil {
		return nil, err
	}
	dst = append(dst, text...)
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(text))), magic...), nil
}

// wholeUpTo returns how many octets of a file are a whole one, and how many rows these have; 0 if
// there is no row group in it.
func wholeUpTo(f io.ReaderAt, size int64) (end, rows int64) {
	const step = 64 << 10
	buf := make([]byte, step+len(magic)-1)
	for at := size; at > 0; at -= step {
		from := max(at-step, 0)
		part := buf[:min(at+int64(len(magic)-1), size)-from]
		if _, err := f.ReadAt(part, from); err != nil {
			return 0, 0
		}
		for i := len(part) - len(magic); i >= 0; i-- {
			if string(part[i:i+len(magic)]) != magic {
				continue
			}
			if rows, err := rowsOf(f, from+int64(i+len(magic))); err == nil {
				return from + int64(i+len(magic)), rows
			}
		}
	}
	return 0, 0
}

// rowsOf returns how many rows a file of a size has.
func rowsOf(f io.ReaderAt, size int64) (rows int64, err error) {
	defer func() {
		if r := recover(); r != nil { // the library, on octets that are no Parquet
			err = fmt.Errorf("%v", r)
		}
	}()
	file, err := pq.OpenFile(io.NewSectionReader(f, 0, size), size, pq.SkipPageIndex(true), pq.SkipBloomFilters(true))
	if err != nil {
		return 0, err
	}
	return file.NumRows(), nil
}
