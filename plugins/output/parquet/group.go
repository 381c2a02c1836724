// Row groups: rows that gather in memory and, once they are enough, become the octets of one.

package parquet

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// A group gathers rows of one shape and encodes them.
type group struct {
	columns []column // in the order of the shape
	times   []int64  // of each row, what it is sorted by
	order   []uint32
	sorted  bool

	writer *pq.GenericWriter[any]
	out    bytes.Buffer
	chunk  []pq.Value
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
	g := &group{chunk: make([]pq.Value, 1024), sorted: true}
	schema := ordered{Group: pq.Group{}}
	for i, k := range s.Keys {
		name := columnName(k.Name)
		schema.names = append(schema.names, name)
		schema.Group[name] = node(k.Type)
		c := column{typ: k.Type, index: i}
		switch k.Type {
		case engine.AddrType, engine.MACType, engine.LabelType, engine.StringType, engine.RawTextType:
			c.known = new([cached]entry)
		}
		g.columns = append(g.columns, c)
	}
	options := []pq.WriterOption{
		pq.NewSchema("ulogd", schema), pq.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
		pq.CreatedBy("ulogd", "1", "0"), pq.DataPageStatistics(false),
	}
	d := s.Dating()
	if keys := d.Keys(); len(keys) > 0 {
		options = append(options, pq.SortingWriterConfig(pq.SortingColumns(pq.Ascending(schema.names[keys[0]]))))
	}
	g.writer = pq.NewGenericWriter[any](&g.out, options...)
	return g
}

// add appends a row.
func (g *group) add(row []store.Value, at int64) {
	for i := range g.columns {
		g.columns[i].add(&row[i])
	}
	g.sorted = g.sorted && (len(g.times) == 0 || g.times[len(g.times)-1] <= at)
	g.order = append(g.order, uint32(len(g.times)))
	g.times = append(g.times, at)
}

func (g *group) len() int { return len(g.times) }

// full reports whether the group has rows enough for a row group.
func (g *group) full(rows int) bool {
	if len(g.times) >= rows {
		return true
	}
	for i := range g.columns {
		if len(g.columns[i].data) >= maxData {
			return true
		}
	}
	return false
}

// encode takes the rows out. It returns a file with the row group alone, valid until the next call.
func (g *group) encode() ([]byte, error) {
	if !g.sorted {
		slices.SortStableFunc(g.order, func(a, b uint32) int { return cmp.Compare(g.times[a], g.times[b]) })
	}
	g.out.Reset()
	g.writer.Reset(&g.out)
	writers := g.writer.ColumnWriters()
	for i := range g.columns {
		for rows := range slices.Chunk(g.order, len(g.chunk)) {
			g.columns[i].values(g.chunk, rows)
			if _, err := writers[i].WriteRowValues(g.chunk[:len(rows)]); err != nil {
				return nil, err
			}
		}
	}
	if err := g.writer.Close(); err != nil {
		return nil, err
	}
	for i := range g.columns {
		g.columns[i].reset()
	}
	g.times, g.order, g.sorted = g.times[:0], g.order[:0], true
	return g.out.Bytes(), nil
}
