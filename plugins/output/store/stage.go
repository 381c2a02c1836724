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
	bitmap []byte // as many zeros as a row's bitmap has octets
}

func newStage(w *sink.Writer, fields []engine.Field, shape *Shape) *stage {
	return &stage{w, fields, make([]byte, shape.bitmap())}
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
	for _, r := range b.Rows() {
		at, has := len(buf), have[r]
		buf = append(buf, s.bitmap...)
		for i := range s.fields {
			if f := &s.fields[i]; has&f.Mask() != 0 {
				buf[at+i/8] |= 1 << (i % 8)
				buf = appendValue(buf, f, b, r)
			}
		}
		buf = s.End(buf)
	}
	s.Commit(buf)
}

func appendValue(buf []byte, f *engine.Field, b *engine.Batch, r engine.Row) []byte {
	switch f.Type() {
	case engine.BoolType, engine.Uint8Type, engine.Int8Type:
		return append(buf, byte(f.Uint(b, r)))
	case engine.Uint16Type, engine.Int16Type:
		return binary.LittleEndian.AppendUint16(buf, uint16(f.Uint(b, r)))
	case engine.Uint32Type, engine.Int32Type:
		return binary.LittleEndian.AppendUint32(buf, uint32(f.Uint(b, r)))
	case engine.Uint64Type, engine.Int64Type, engine.TimeType:
		return binary.LittleEndian.AppendUint64(buf, f.Uint(b, r))
	case engine.AddrType:
		a, is6 := f.Addr(b, r)
		if !is6 {
			return binary.BigEndian.AppendUint32(append(buf, 4), a.V4())
		}
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(append(buf, 6), a.Hi), a.Lo)
	case engine.MACType, engine.LabelType:
		return append(buf, f.Bytes(b, r)...)
	}
	text := f.Bytes(b, r)
	return append(binary.AppendUvarint(buf, uint64(len(text))), text...)
}
