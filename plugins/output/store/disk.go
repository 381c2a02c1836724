// Batches on disk.
//
//	context of a message = ID(16) first row(uvarint) keys(uvarint) *(type(1) length(uvarint) name)
//	body                 = *(length(uvarint) row)

package store

import (
	"encoding/binary"
	"errors"
	"iter"
	"slices"

	"ulogd/engine"
	"ulogd/plugins/output/spool"
)

// disk is the spool of a queue.
type disk struct {
	*spool.Spool
	dir    *spool.Dir
	env    *engine.Env
	shapes []*Shape // of messages that were read

	pending []byte // the context of a message that was read and begins the next batch
	body    []byte
	msg     spool.Message

	spooled *engine.Counter
	failed  *engine.Drop
	foreign *engine.Drop
}

func openDisk(o *Output, env *engine.Env) (*disk, error) {
	dir, err := spool.OpenDir(o.spool)
	if err != nil {
		return nil, err
	}
	s, err := dir.Open("rows", spool.Config{
		Max: o.spoolMax, Log: env.Log, Often: env.Limited(),
		Stats: env.Stats, Go: env.Go,
	})
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return &disk{
		Spool: s, dir: dir, env: env,
		spooled: env.Stats.Counter("spooled",
			"records that went to the spool because the buffer was full, older ones were in the spool, or the daemon ended"),
		failed: env.Stats.Drop("spool_failed",
			"records that could not be put into the spool, for want of disk space or permission, or because one is above 64 "+
				"KiB"),
		foreign: env.Stats.Drop("spool_foreign", "records in the spool that were not written by an output like this one"),
	}, nil
}

// maxBody is how many octets of rows go into one message, unless one has more; maxMessage is what fits.
const (
	maxBody    = 60 << 10
	maxMessage = 1<<16 - 1
)

// messages splits what is left of a batch into messages.
func (d *disk) messages(b *batch) iter.Seq[spool.Message] {
	return func(yield func(spool.Message) bool) {
		body, first := d.body[:0], b.taken
		defer func() { d.body = body }()
		flush := func(next int) bool {
			if next == first {
				return true
			}
			m := spool.Message{Records: next - first, Context: appendContext(nil, &b.Rows, first), Body: body}
			body, first = body[:0], next
			return yield(m)
		}
		for i := b.taken; i < b.Len(); i++ {
			row := b.row(i)
			if len(body)+len(row)+binary.MaxVarintLen64 > maxBody && !flush(i) {
				return
			}
			body = append(binary.AppendUvarint(body, uint64(len(row))), row...)
		}
		flush(b.Len())
	}
}

func appendContext(p []byte, r *Rows, first int) []byte {
	p = append(p, r.Batch[:]...)
	p = binary.AppendUvarint(p, uint64(r.First+first))
	p = binary.AppendUvarint(p, uint64(len(r.Shape.Keys)))
	for _, k := range r.Shape.Keys {
		p = binary.AppendUvarint(append(p, byte(k.Type)), uint64(len(k.Name)))
		p = append(p, k.Name...)
	}
	return p
}

// parseContext reads what appendContext wrote.
func parseContext(p []byte) (id ID, first int, s *Shape, ok bool) {
	if len(p) < len(id) {
		return id, 0, nil, false
	}
	p = p[copy(id[:], p):]
	number := func() (v int) {
		n, m := binary.Uvarint(p)
		if ok = m > 0 && n < 1<<30; !ok { // sums of such numbers fit an int of any machine
			return 0
		}
		p = p[m:]
		return int(n)
	}
	first = number()
	keys := number()
	if !ok || keys > len(p) {
		return id, 0, nil, false
	}
	s = &Shape{}
	for range keys {
		if len(p) < 1 {
			return id, 0, nil, false
		}
		k := Key{Type: engine.Type(p[0])}
		p = p[1:]
		n := number()
		if !ok || n > len(p) || int(k.Type) >= len(widths) || widths[k.Type] == 0 {
			return id, 0, nil, false
		}
		k.Name, p = string(p[:n]), p[n:]
		s.Keys = append(s.Keys, k)
	}
	return id, first, s, len(p) == 0
}

// append puts what is left of a batch on disk. It returns false if that cannot be now, for all of it: then less is
// left.
func (d *disk) append(b *batch) bool {
	for m := range d.messages(b) {
		switch {
		case len(m.Body) > maxMessage:
			d.failed.Add(m.Records)
			d.env.Stats.Held.Add(-m.Records)
		case !d.Append(m):
			return false
		default:
			d.spooled.Add(m.Records)
		}
		b.taken += m.Records
	}
	return true
}

// next reads the oldest batch: as many messages as belong to it.
func (d *disk) next(b *batch) bool {
	for {
		m := d.msg
		if d.pending == nil {
			var ok bool
			if m, ok = d.Next(); !ok {
				break
			}
		}
		id, first, shape, ok := parseContext(m.Context)
		if n := b.Len(); n > 0 && ok && (id != b.Batch || first != b.First+n || !slices.Equal(shape.Keys, b.Shape.Keys)) {
			d.keep(m)
			return true
		}
		d.pending = nil
		if !ok || !b.adopt(m, id, first, d.known(shape)) {
			d.foreign.Add(m.Records)
			d.env.Stats.Held.Add(-m.Records)
			continue
		}
		b.read = d.Position()
	}
	return b.Len() > 0
}

// keep keeps a message that was read too early for the next call.
func (d *disk) keep(m spool.Message) {
	m.Context, m.Body = slices.Clone(m.Context), slices.Clone(m.Body)
	d.msg, d.pending = m, m.Context
}

// Records returns how many records are on disk, or were read too early.
func (d *disk) Records() int {
	n := d.Spool.Records()
	if d.pending != nil {
		n += d.msg.Records
	}
	return n
}

// known returns the shape with these keys that was known before: stores look plans up by it.
func (d *disk) known(s *Shape) *Shape {
	for _, k := range d.shapes {
		if slices.Equal(k.Keys, s.Keys) {
			return k
		}
	}
	d.shapes = append(d.shapes, s)
	return s
}

// adopt appends the rows of a message. Rows that cannot be read spoil all of it.
func (b *batch) adopt(m spool.Message, id ID, first int, s *Shape) bool {
	v := make([]Value, len(s.Keys))
	data, ends := b.data, b.ends
	for p := m.Body; len(p) > 0; {
		size, n := binary.Uvarint(p)
		if n <= 0 || size > uint64(len(p)-n) || !s.read(p[n:n+int(size)], v) {
			return false
		}
		data = append(data, p[n:n+int(size)]...)
		ends = append(ends, len(data))
		p = p[n+int(size):]
	}
	if len(ends)-len(b.ends) != m.Records {
		return false
	}
	if b.Len() == 0 {
		b.Batch, b.First, b.Shape, b.Stored = id, first, s, true
	}
	b.data, b.ends = data, ends
	return true
}

// putAway leaves to a later run what the store has not taken.
func (d *disk) putAway(left []*batch) error {
	failed := d.Restore(func(yield func(spool.Message) bool) {
		for _, b := range left {
			for m := range d.messages(b) {
				if len(m.Body) > maxMessage {
					d.failed.Add(m.Records)
					d.env.Stats.Held.Add(-m.Records)
				} else if !yield(m) {
					return
				}
			}
		}
		if d.pending != nil {
			d.pending = nil
			yield(d.msg)
		}
	})
	d.failed.Add(failed)
	d.env.Stats.Held.Add(-failed)
	if n := d.Spool.Records(); n > 0 {
		d.env.Log.Info("records stay in the spool for the next run", "spool", d.Path(), "records", n)
	}
	d.Close()
	return d.dir.Close()
}
