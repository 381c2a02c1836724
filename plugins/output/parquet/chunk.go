// Column chunks: what a row group has of a column, as pages (data pages of version 2), and what its metadata says.

package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"ulogd/engine"
)

// pageRows is how many rows a page has at most.
const pageRows = 1 << 16

// A pageWriter writes pages, and has what it needs for one.
type pageWriter struct {
	zip                    *zstd.Encoder
	levels, values, zipped []byte
	header                 bytes.Buffer
	encoder                *thrift.Encoder
}

func newPageWriter() (*pageWriter, error) {
	w := &pageWriter{}
	w.encoder = thrift.NewEncoder(new(thrift.CompactProtocol).NewWriter(&w.header))
	var err error
	w.zip, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false))
	return w, err
}

var (
	levelEncoding      = rle.Encoding{BitWidth: 1}
	dictionaryEncoding rle.DictionaryEncoding
	deltaEncoding      delta.BinaryPackedEncoding
)

// appendChunk appends the pages of a column, which begin at a place in the file, and completes the metadata.
func (w *pageWriter) appendChunk(dst []byte, at int64, c *column, m *format.ColumnMetaData) ([]byte, error) {
	m.Codec = format.Zstd
	m.NumValues = int64(len(c.levels))
	m.Statistics = c.statistics()
	begin, encoding := len(dst), format.Plain
	switch c.form {
	case numbers, texts:
		encoding = format.RLEDictionary
	case words, longs:
		encoding = format.DeltaBinaryPacked
	}
	m.Encoding = thrift.Slice[format.Encoding]{format.RLE, encoding}
	var err error
	if encoding == format.RLEDictionary {
		m.Encoding = append(m.Encoding, format.Plain)
		m.DictionaryPageOffset = at
		m.EncodingStats = append(m.EncodingStats, format.PageEncodingStats{PageType: format.DictionaryPage, Count: 1})
		h := format.PageHeader{
			Type:                 format.DictionaryPage,
			DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: c.dict.n}),
		}
		if dst, err = w.appendPage(dst, &h, nil, c.dict.page, m); err != nil {
			return dst, err
		}
	}
	m.DataPageOffset = at + int64(len(dst)-begin)
	pages, from := int32(0), 0
	for levels := range slices.Chunk(c.levels, pageRows) {
		to := from + bytes.Count(levels, []byte{1})
		if w.values, err = c.encode(w.values, from, to); err != nil {
			return dst, err
		}
		if w.levels, err = levelEncoding.EncodeLevels(w.levels, levels); err != nil {
			return dst, err
		}
		h := format.PageHeader{Type: format.DataPageV2, DataPageHeaderV2: thrift.New(format.DataPageHeaderV2{
			NumValues: int32(len(levels)), NumNulls: int32(len(levels) - (to - from)), NumRows: int32(len(levels)),
			Encoding: encoding, DefinitionLevelsByteLength: int32(len(w.levels)), IsCompressed: thrift.New(true),
		})}
		if dst, err = w.appendPage(dst, &h, w.levels, w.values, m); err != nil {
			return dst, err
		}
		from, pages = to, pages+1
	}
	stats := format.PageEncodingStats{PageType: format.DataPageV2, Encoding: encoding, Count: pages}
	m.EncodingStats = append(m.EncodingStats, stats)
	return dst, nil
}

// appendPage appends a page: its header, its levels, its values compressed.
func (w *pageWriter) appendPage(dst []byte, h *format.PageHeader, levels, values []byte,
	m *format.ColumnMetaData,
) ([]byte, error) {
	if len(levels)+len(values) > math.MaxInt32 {
		return dst, fmt.Errorf("a page of %d octets is too large; make row_group smaller", len(values))
	}
	w.zipped = w.zip.EncodeAll(values, w.zipped[:0])
	h.UncompressedPageSize = int32(len(levels) + len(values))
	h.CompressedPageSize = int32(len(levels) + len(w.zipped))
	h.CRC = int32(crc32.Update(crc32.ChecksumIEEE(levels), crc32.IEEETable, w.zipped))
	w.header.Reset()
	if err := w.encoder.Encode(h); err != nil {
		return dst, err
	}
	m.TotalUncompressedSize += int64(w.header.Len()) + int64(h.UncompressedPageSize)
	m.TotalCompressedSize += int64(w.header.Len()) + int64(h.CompressedPageSize)
	return append(append(append(dst, w.header.Bytes()...), levels...), w.zipped...), nil
}

// encode encodes the values from one up to another into dst, whose content it replaces.
func (c *column) encode(dst []byte, from, to int) ([]byte, error) {
	switch c.form {
	case numbers, texts:
		return dictionaryEncoding.EncodeInt32(dst, c.small[from:to])
	case words:
		return deltaEncoding.EncodeInt32(dst, c.small[from:to])
	case longs:
		return deltaEncoding.EncodeInt64(dst, c.wide[from:to])
	case booleans:
		dst = append(dst[:0], make([]byte, (to-from+7)/8)...)
		for i, v := range c.small[from:to] {
			dst[i/8] |= byte(v&1) << (i % 8)
		}
		return dst, nil
	}
	dst = dst[:0]
	for _, s := range c.wide[from:to] {
		v := c.data[s>>32 : uint32(s)]
		dst = append(binary.LittleEndian.AppendUint32(dst, uint32(len(v))), v...)
	}
	return dst, nil
}

// maxStatistic is the longest text that stands in statistics.
const maxStatistic = 64

// statistics says how many rows lack the value, and the least and the greatest of the others.
func (c *column) statistics() (s format.Statistics) {
	s.NullCount = int64(bytes.Count(c.levels, []byte{0}))
	if s.NullCount == int64(len(c.levels)) {
		return s
	}
	le := binary.LittleEndian
	switch c.form {
	case booleans:
		s.MinValue, s.MaxValue = []byte{byte(slices.Min(c.small) & 1)}, []byte{byte(slices.Max(c.small) & 1)}
	case numbers:
		low, high := int32(math.MaxInt32), int32(math.MinInt32) // 16 bits fit, with and without a sign
		for p := c.dict.page; len(p) > 0; p = p[4:] {
			v := int32(le.Uint32(p))
			low, high = min(low, v), max(high, v)
		}
		s.MinValue, s.MaxValue = le.AppendUint32(nil, uint32(low)), le.AppendUint32(nil, uint32(high))
	case words:
		low, high := extremes(c.small, c.typ == engine.Uint32Type, math.MinInt32)
		s.MinValue, s.MaxValue = le.AppendUint32(nil, uint32(low)), le.AppendUint32(nil, uint32(high))
	case longs:
		low, high := extremes(c.wide, c.typ == engine.Uint64Type, math.MinInt64)
		s.MinValue, s.MaxValue = le.AppendUint64(nil, uint64(low)), le.AppendUint64(nil, uint64(high))
	case texts:
		var low, high []byte
		for p := c.dict.page; len(p) > 0; {
			v := p[4 : 4+le.Uint32(p)]
			if p = p[4+len(v):]; low == nil || bytes.Compare(v, low) < 0 {
				low = v
			}
			if bytes.Compare(v, high) > 0 {
				high = v
			}
		}
		if len(low) <= maxStatistic && len(high) <= maxStatistic {
			s.MinValue, s.MaxValue = append([]byte{}, low...), append([]byte{}, high...)
		}
	}
	return s
}

// extremes returns the least and the greatest of numbers. Turning the highest bit has those without a sign in the
// order of those with one.
func extremes[T int32 | int64](v []T, unsigned bool, highest T) (low, high T) {
	if !unsigned {
		highest = 0
	}
	low, high = v[0]^highest, v[0]^highest
	for _, n := range v {
		low, high = min(low, n^highest), max(high, n^highest)
	}
	return low ^ highest, high ^ highest
}
