// Records into rows.

package store

import (
	"encoding/binary"
	"slices"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/output/sink"
)

// All returns every key of the stack, each once, times as a whole; without raw packets, which no
// table has and which every row would carry until that is known.
func All(p *engine.Binder) []engine.Field {
	packet := []*engine.KeyInfo{key.RawPkt.Info(), key.Raw.Info(), key.CT.Info()}
	return once(engine.Whole(p.All(func(f engine.Field) bool { return !slices.Contains(packet, f.Key) })))
}

// Named returns those of the named keys that the stack gives.
func Named(p *engine.Binder, names []string) (fields []engine.Field) {
	for _, name := range names {
		if f, ok := p.Named(name); ok {
			fields = append(fields, f)
		}
	}
	return fields
}

// Selected returns the keys that a selection names, each once, times as a whole; All if it names
// none.
func Selected(p *engine.Binder, s *engine.Selection) []engine.Field {
	if len(s.Keys) == 0 {
		return All(p)
	}
	return once(engine.Whole(s.Fields(p)))
}

// once leaves the first field of each name.
func once(fields []engine.Field) (out []engine.Field) {
	for _, f := range fields {
		if !slices.ContainsFunc(out, func(o engine.Field) bool { return o.Name == f.Name }) {
			out = append(out, f)
		}
	}
	return out
}

// stage is the end of one stack. Its batches have a shape of their own.
type stage struct {
	*sink.Writer
	fields []engine.Field
	cells  []cell // of each field
	bitmap []byte // as many zeros as a row's bitmap has octets
}

// A cell is the array of a field's values in a batch, where it is of the types that most keys have. They are looked up
// once for a batch: a row has many.
type cell struct {
	mask uint64
	u8   *[engine.BatchSize]uint8
	u16  *[engine.BatchSize]uint16
	u32  *[engine.BatchSize]uint32
	u64  *[engine.BatchSize]uint64
	time *[engine.BatchSize]engine.Time
}

func cellOf(f *engine.Field, b *engine.Batch) (c cell) {
	switch values := f.Column(b).(type) {
	case *[engine.BatchSize]uint8:
		c.u8 = values
	case *[engine.BatchSize]uint16:
		c.u16 = values
	case *[engine.BatchSize]uint32:
		c.u32 = values
	case *[engine.BatchSize]uint64:
		c.u64 = values
	case *[engine.BatchSize]engine.Time:
		c.time = values
	}
	c.mask = f.Mask()
	return c
}

func newStage(w *sink.Writer, fields []engine.Field, shape *Shape) *stage {
	return &stage{w, fields, make([]cell, len(fields)), make([]byte, shape.bitmap())}
}

func shapeOf(fields []engine.Field) *Shape {
	s := &Shape{}
	for i := range fields {
		s.Keys = append(s.Keys, Key{fields[i].Name, fields[i].Type()})
	}
	return s
}

// Consume appends the rows of a batch.
func (s *stage) Consume(b *engine.Batch) {
	buf, have := s.Begin(), b.Have()
	for i := range s.fields {
		s.cells[i] = cellOf(&s.fields[i], b)
	}
	le := binary.LittleEndian
	for _, r := range b.Rows() {
		at, has := len(buf), have[r]
		buf = append(buf, s.bitmap...)
		for i := range s.cells {
			c := &s.cells[i]
			if has&c.mask == 0 {
				continue
			}
			buf[at+i/8] |= 1 << (i % 8)
			switch {
			case c.u16 != nil:
				buf = le.AppendUint16(buf, c.u16[r])
			case c.u64 != nil:
				buf = le.AppendUint64(buf, c.u64[r])
			case c.u8 != nil:
				buf = append(buf, c.u8[r])
			case c.u32 != nil:
				buf = le.AppendUint32(buf, c.u32[r])
			case c.time != nil:
				buf = le.AppendUint64(buf, uint64(c.time[r]))
			default:
				buf = appendValue(buf, &s.fields[i], b, r)
			}
		}
		buf = s.End(buf)
	}
	s.Commit(buf)
}

func appendValue(buf []byte, f *engine.Field, b *engine.Batch, r engine.Row) []byte {
	switch t := f.Type(); t {
	case engine.AddrType:
		a, is6 := f.Addr(b, r)
		if !is6 {
			return binary.BigEndian.AppendUint32(append(buf, 4), a.V4())
		}
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(append(buf, 6), a.Hi), a.Lo)
	case engine.StringType, engine.RawType, engine.RawTextType, engine.MACType, engine.LabelType:
		return appendOctets(buf, t, f.Bytes(b, r))
	default:
		return appendNumber(buf, t, f.Uint(b, r))
	}
}
