// Row groups: rows that gather in memory and, once they are enough, become the octets of one.

package parquet

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"ulogd/plugins/output/store"
)

// A group gathers rows of one shape and encodes them.
type group struct {
	columns []column // in the order of the shape
	names   []string
	dating  store.Dating
	times   []int64 // of each row, what it is sorted by
	sorted  bool

	pages *pageWriter
}

// maxData is how many octets the texts of a column may have: a span has 32 bits.
const maxData = 64 << 20

// ordered is a schema whose columns stay in the order of the keys.
type ordered struct {
	pq.Group
	names []string
}

func (o ordered) Fields() []pq.Field {
	fields := o.Group.Fields()
	slices.SortFunc(fields, func(a, b pq.Field) int {
		return cmp.Compare(slices.Index(o.names, a.Name()), slices.Index(o.names, b.Name()))
	})
	return fields
}

// columnName returns the column of a key.
func columnName(key string) string { return strings.ReplaceAll(key, ".", "_") }

// newGroup makes a group for rows of a shape.
func newGroup(s *store.Shape) *group {
	g := &group{dating: s.Dating(), sorted: true}
	for _, k := range s.Keys {
		g.names = append(g.names, columnName(k.Name))
		g.columns = append(g.columns, column{typ: k.Type, form: formOf(k.Type)})
	}
	return g
}

// add appends a row.
func (g *group) add(row []store.Value, at int64) {
	for i := range g.columns {
		g.columns[i].add(&row[i])
	}
	g.sorted = g.sorted && (len(g.times) == 0 || g.times[len(g.times)-1] <= at)
	g.times = append(g.times, at)
}

func (g *group) len() int { return len(g.times) }

// full reports whether the group has rows enough for a row group.
func (g *group) full(rows int) bool {
	if len(g.times) >= rows {
		return true
	}
	for i := range g.columns {
		if g.columns[i].size() >= maxData {
			return true
		}
	}
	return false
}

// encode takes the rows out: it appends their row group, which begins at a place in a file, and returns what the
// file's end is to say of it.
func (g *group) encode(dst []byte, at int64) (_ []byte, meta format.RowGroup, err error) {
	if g.pages == nil {
		if g.pages, err = newPageWriter(); err != nil {
			return dst, meta, err
		}
	}
	if !g.sorted {
		g.sort()
	}
	meta.NumRows, meta.FileOffset = int64(len(g.times)), at
	begin := len(dst)
	for i := range g.columns {
		c := &g.columns[i]
		from := at + int64(len(dst)-begin)
		chunk := format.ColumnChunk{FileOffset: from}
		chunk.MetaData.Type = physical(c.form)
		chunk.MetaData.PathInSchema = thrift.Slice[string]{g.names[i]}
		if dst, err = g.pages.appendChunk(dst, from, c, &chunk.MetaData); err != nil {
			return dst[:begin], meta, err
		}
		meta.Columns = append(meta.Columns, chunk)
		meta.TotalByteSize += chunk.MetaData.TotalUncompressedSize
		meta.TotalCompressedSize += chunk.MetaData.TotalCompressedSize
	}
	if by := g.dating.Keys(); len(by) > 0 && meta.Columns[by[0]].MetaData.Statistics.NullCount == 0 {
		meta.SortingColumns = thrift.Slice[format.SortingColumn]{{ColumnIdx: int32(by[0])}}
	}
	for i := range g.columns {
		g.columns[i].reset()
	}
	g.times, g.sorted = g.times[:0], true
	return dst, meta, nil
}

// sort puts the rows into the order of their times.
func (g *group) sort() {
	order, room := make([]uint32, len(g.times)), make([]uint32, len(g.times))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return cmp.Compare(g.times[a], g.times[b]) })
	for i := range g.columns {
		g.columns[i].sort(order, room)
	}
}

func physical(f form) format.Type {
	switch f {
	case booleans:
		return format.Boolean
	case numbers, words:
		return format.Int32
	case longs:
		return format.Int64
	}
	return format.ByteArray
}

// schema returns what the end of a file without rows says: the library's words for the schema.
func (g *group) schema() (*format.FileMetaData, error) {
	schema := ordered{pq.Group{}, g.names}
	for i, name := range g.names {
		schema.Group[name] = node(g.columns[i].typ)
	}
	var out bytes.Buffer
	w := pq.NewGenericWriter[any](&out, pq.NewSchema("ulogd", schema), pq.CreatedBy("ulogd", "1", "0"))
	if err := w.Close(); err != nil {
		return nil, err
	}
	return parseFooter(out.Bytes())
}
