// Batches in, messages out.

package export

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// An Encoder writes the records of one stack.
type Encoder struct {
	shapes shapes
	both   bool // a second record for the reply direction
	active []*shape

	family   engine.Col[uint8]
	protocol engine.Col[uint16]
	replies  engine.Col[uint64]
	count    bool      // replies decide on what a row becomes
	compare  bool      // the tuples of both directions are there
	exporter *Exporter // nil: records do not have its address

	osrc, odst, rsrc, rdst         engine.Col[engine.Addr]
	osport, odport, rsport, rdport engine.Col[uint16]

	variants [engine.BatchSize]variant
}

// Result is what became of a batch's rows.
type Result struct {
	Second     int // records made for the reply direction
	NoTemplate int // records that no template could be had for
	TooBig     int // records that no message can hold
	Lost       Content
}

// Add adds up results.
func (r *Result) Add(o Result) {
	r.Second += o.Second
	r.NoTemplate += o.NoTemplate
	r.TooBig += o.TooBig
	r.Lost.Add(o.Lost)
}

// Widest returns the octets of the longest record without its fields of variable length, and of the
// set that announces its template.
func (e *Encoder) Widest() (record, set int) {
	for _, v := range []variant{twoWay | nat, twoWay | nat | is6, noIP} {
		v |= from4 | from6
		var els []Specifier
		for i := range e.shapes.items {
			if it := &e.shapes.items[i]; it.applies(forward, ^uint64(0), v) {
				els = append(els, it.Specifier)
			}
		}
		t := Template{Elements: els}
		t.build(&e.shapes.registry.Dialect)
		record, set = max(record, t.fixed), max(set, t.SetSize())
	}
	return record, set
}

// Encode writes the rows into messages of w.
func (e *Encoder) Encode(b *engine.Batch, rows []engine.Row, w *Packer) (res Result) {
	e.classify(b, rows)
	have, interest := b.Have(), e.shapes.interest
	for _, r := range rows {
		s := e.shapes.find(have[r]&interest, e.variants[r])
		if s.n == 0 {
			e.active = append(e.active, s)
		}
		s.rows[s.n] = r
		s.n++
	}
	for _, s := range e.active {
		e.write(b, s, w, &res)
		s.n = 0
	}
	e.active = e.active[:0]
	return res
}

// write lays out the records of one shape and then writes them field by field.
func (e *Encoder) write(b *engine.Batch, s *shape, w *Packer, res *Result) {
	f, r := &s.half[forward], &s.half[backward]
	second := e.both && s.variant&twoWay != 0
	rows := s.rows[:s.n]
	if second {
		res.Second += len(rows)
	}
	if second && f.template == r.template && f.template != nil && len(f.sizers) == 0 {
		layOutPairs(f, r, b, rows, w, res)
	} else {
		f.layOut(b, rows, w, res)
		if second {
			r.layOut(b, rows, w, res)
		}
	}
	f.fill(b, w.buf)
	r.fill(b, w.buf)
}

// layOutPairs finds places for two records of each row, side by side.
func layOutPairs(f, r *half, b *engine.Batch, rows []engine.Row, w *Packer, res *Result) {
	size, all, halves := f.template.fixed, 2*len(rows), [2]*half{f, r}
	for i := 0; i < all; {
		pos, n := w.places(f.template, size, all-i)
		if n == 0 {
			res.TooBig += all - i
			for ; i < all; i++ {
				halves[i&1].lose(b, rows[i>>1:][:1], res)
			}
			break
		}
		for end := i + n; i < end; i++ {
			h := halves[i&1]
			h.spots[h.n] = spot{uint32(pos), rows[i>>1]}
			h.n++
			pos += size
		}
	}
}

// layOut finds a place for a record of each row.
func (h *half) layOut(b *engine.Batch, rows []engine.Row, w *Packer, res *Result) {
	switch {
	case h.template == nil:
		res.NoTemplate += len(rows)
		h.lose(b, rows, res)
	case len(h.sizers) > 0:
		for _, row := range rows {
			size := h.template.fixed
			for _, s := range h.sizers {
				size += s.size(b, row)
			}
			pos, n := w.places(h.template, size, 1)
			if n == 0 {
				res.TooBig++
				h.lose(b, []engine.Row{row}, res)
				continue
			}
			h.spots[h.n] = spot{uint32(pos), row}
			h.n++
		}
	default:
		size := h.template.fixed
		for len(rows) > 0 {
			pos, n := w.places(h.template, size, len(rows))
			if n == 0 {
				res.TooBig += len(rows)
				h.lose(b, rows, res)
				return
			}
			for _, row := range rows[:n] {
				h.spots[h.n] = spot{uint32(pos), row}
				h.n++
				pos += size
			}
			rows = rows[n:]
		}
	}
}

// fill writes the fields of all records that have a place.
func (h *half) fill(b *engine.Batch, buf []byte) {
	if h.n == 0 {
		return
	}
	spots := h.spots[:h.n]
	for i := range h.jobs {
		h.jobs[i].fill(b, buf, spots, h.jobs[i].off)
	}
	h.n = 0
}

// classify finds out each row's variant.
func (e *Encoder) classify(b *engine.Batch, rows []engine.Row) {
	v := &e.variants
	e.classifyFamily(b, rows)
	if e.exporter != nil {
		for _, r := range rows {
			v[r] |= e.exporter.knows
		}
	}
	if e.count {
		n, have, m := e.replies.Of(b), b.Have(), e.replies.Mask()
		for _, r := range rows {
			if have[r]&m != 0 && n[r] > 0 {
				v[r] |= twoWay
			}
		}
	}
	if e.compare {
		have, m := b.Have(), e.osrc.Mask()|e.rsrc.Mask()
		ports := e.osport.Mask() | e.rsport.Mask()
		os, od, rs, rd := e.osrc.Of(b), e.odst.Of(b), e.rsrc.Of(b), e.rdst.Of(b)
		osp, odp, rsp, rdp := e.osport.Of(b), e.odport.Of(b), e.rsport.Of(b), e.rdport.Of(b)
		for _, r := range rows {
			if have[r]&m == m && (os[r] != rd[r] || od[r] != rs[r] || have[r]&ports == ports && (osp[r] != rdp[r] || odp[r] != rsp[r])) {
				v[r] |= nat
			}
		}
	}
}

func (e *Encoder) classifyFamily(b *engine.Batch, rows []engine.Row) {
	v, have := &e.variants, b.Have()
	fam, fm := e.family.Of(b), e.family.Mask()
	eth, em := e.protocol.Of(b), e.protocol.Mask()
	for _, r := range rows {
		f := fam[r]
		switch {
		case f == engine.FamilyIPv4 && have[r]&fm != 0:
			v[r] = 0
		case have[r]&fm == 0:
			v[r] = noIP
		case f == engine.FamilyIPv6:
			v[r] = is6
		case have[r]&em != 0 && (f == engine.FamilyBridge || f == engine.FamilyNetdev) && eth[r] == engine.EtherIPv4:
			v[r] = 0
		case have[r]&em != 0 && (f == engine.FamilyBridge || f == engine.FamilyNetdev) && eth[r] == engine.EtherIPv6:
			v[r] = is6
		default:
			v[r] = noIP
		}
	}
}

// bindFamily binds the keys that say what a record is.
func (e *Encoder) bindFamily(p *engine.Binder) {
	e.family, e.protocol = engine.Want(p, key.OOBFamily), engine.Want(p, key.OOBProtocol)
}
