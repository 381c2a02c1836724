// Neighbouring fields that are written in one go: a pair costs little more than one field, and
// records are full of pairs.

package export

import (
	"encoding/binary"

	"ulogd/engine"
)

// fuse joins jobs that stand next to each other.
func fuse(jobs []job) (out []job) {
	for i := 0; i < len(jobs); i++ {
		if i+1 < len(jobs) {
			if f := pair(jobs[i].filler, jobs[i+1].filler); f != nil {
				out = append(out, job{f, jobs[i].off})
				i++
				continue
			}
		}
		out = append(out, jobs[i])
	}
	return out
}

func pair(a, b filler) filler {
	switch x := a.(type) {
	case addr4:
		if y, ok := b.(addr4); ok {
			return addrs4{x.col, y.col}
		}
	case millis:
		if y, ok := b.(millis); ok {
			return times{x.col, y.col}
		}
	case number[uint16]:
		if y, ok := b.(number[uint16]); ok && x.width == 2 && y.width == 2 {
			return ports{x.col, y.col}
		}
	case number[uint64]:
		if y, ok := b.(number[uint64]); ok && x.width == 8 && y.width == 8 {
			return counters{x.col, y.col}
		}
	}
	return nil
}

type addrs4 struct{ a, b engine.Col[engine.Addr] }

func (f addrs4) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	x, y, buf := f.a.Of(b), f.b.Of(b), buf[off:]
	for _, s := range spots {
		binary.BigEndian.PutUint64(buf[s.pos:], uint64(x[s.row].V4())<<32|uint64(y[s.row].V4()))
	}
}

type ports struct{ a, b engine.Col[uint16] }

func (f ports) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	x, y, buf := f.a.Of(b), f.b.Of(b), buf[off:]
	for _, s := range spots {
		binary.BigEndian.PutUint32(buf[s.pos:], uint32(x[s.row])<<16|uint32(y[s.row]))
	}
}

type counters struct{ a, b engine.Col[uint64] }

func (f counters) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	x, y, buf := f.a.Of(b), f.b.Of(b), buf[off:]
	for _, s := range spots {
		p := buf[s.pos:][:16]
		binary.BigEndian.PutUint64(p, x[s.row])
		binary.BigEndian.PutUint64(p[8:], y[s.row])
	}
}

type times struct{ a, b engine.Col[engine.Time] }

func (f times) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	x, y, buf := f.a.Of(b), f.b.Of(b), buf[off:]
	for _, s := range spots {
		p := buf[s.pos:][:16]
		binary.BigEndian.PutUint64(p, uint64(x[s.row])/1e6)
		binary.BigEndian.PutUint64(p[8:], uint64(y[s.row])/1e6)
	}
}
