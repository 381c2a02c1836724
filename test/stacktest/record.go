// Records that are written down as text, such as lines of ulogd2's GPRINT, and the input that gives
// them.

package stacktest

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"ulogd/engine"
)

// A Field is a key's name and its value as text: raw data in hexadecimal, times in nanoseconds.
type Field struct{ Name, Value string }

// A Record is the keys of one record in the order of the stack. A name may stand twice, as where
// two plugins give it.
type Record []Field

// Get returns the value of a key.
func (r Record) Get(name string) string {
	for _, f := range r {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// With returns the record with the key's value replaced, or the key added.
func (r Record) With(name, value string) Record {
	r = slices.Clone(r)
	for i := range r {
		if r[i].Name == name {
			r[i].Value = value
			return r
		}
	}
	return append(r, Field{name, value})
}

// Without returns the record without a key.
func (r Record) Without(name string) Record {
	return slices.DeleteFunc(slices.Clone(r), func(f Field) bool { return f.Name == name })
}

// Parse reads lines as GPRINT writes them: name=value joined by commas. NAME.sec and NAME.usec
// become the time NAME.
func Parse(log string) []Record {
	var out []Record
	for line := range strings.Lines(log) {
		var rec Record
		for item := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), ",") {
			name, value, _ := strings.Cut(item, "=")
			base, part, _ := cutLast(name)
			switch part {
			case "sec":
				rec = append(rec, Field{base, value + "000000000"})
			case "usec":
				usec, _ := strconv.Atoi(value)
				last := &rec[len(rec)-1]
				last.Value = fmt.Sprintf("%s%06d000", strings.TrimSuffix(last.Value, "000000000"), usec)
			default:
				rec = append(rec, Field{name, value})
			}
		}
		out = append(out, rec)
	}
	return out
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// source is the input that gives the records. shape says which keys it gives, in which order.
type source struct {
	shape []Record
	clock int64
	feed  chan []Record
	names []string
	set   []setter
	masks []uint64
	left  []Record
}

func (s *source) Options(*engine.Options) {}

func (s *source) Backpressure() bool { return true }

// Bind gives every key of the shape. Keys that the same records have share a group, as the engine
// has 64.
func (s *source) Bind(p *engine.Binder) {
	have := map[string]string{} // by place: which records have it
	for i, rec := range s.shape {
		at := 0
		for _, name := range places(rec) {
			if j := slices.Index(s.names, name); j >= 0 {
				at = j + 1
			} else {
				s.names = slices.Insert(s.names, at, name)
				at++
			}
			have[name] += fmt.Sprint(i, " ")
		}
	}
	groups := map[string]engine.Group{}
	bound := make([]engine.Group, len(s.names))
	for i, name := range s.names {
		base, _, _ := strings.Cut(name, "#")
		give, ok := lookup(base)
		if !ok {
			panic("stacktest: unknown key " + base)
		}
		g, ok := groups[have[name]]
		if !ok {
			g = p.Group()
			groups[have[name]] = g
		}
		s.set, bound[i] = append(s.set, give.bind(p, g)), g
	}
	for _, g := range bound {
		s.masks = append(s.masks, g.Mask())
	}
}

// places names the fields of a record; a name that comes again gets a number.
func places(rec Record) []string {
	var out []string
	for _, f := range rec {
		name := f.Name
		for i := 2; slices.Contains(out, name); i++ {
			name = fmt.Sprintf("%s#%d", f.Name, i)
		}
		out = append(out, name)
	}
	return out
}

func (s *source) Read(b *engine.Batch, deadline time.Time) error {
	if len(s.left) == 0 {
		select {
		case recs, ok := <-s.feed:
			if !ok {
				return io.EOF
			}
			s.left = recs
		case <-time.After(time.Until(deadline)):
			return nil
		}
	}
	n := min(len(s.left), engine.BatchSize)
	if err := s.fill(b, s.left[:n]); err != nil {
		return err
	}
	s.left = s.left[n:]
	return nil
}

func (s *source) fill(b *engine.Batch, recs []Record) error {
	for i, rec := range recs {
		r := engine.Row(i)
		b.Have()[r] = 0
		for j, name := range places(rec) {
			at := slices.Index(s.names, name)
			if at < 0 {
				return fmt.Errorf("no record of the shape has %s", name)
			}
			if err := s.set[at](b, r, rec[j].Value); err != nil {
				return fmt.Errorf("%s=%q: %w", name, rec[j].Value, err)
			}
			b.Have()[r] |= s.masks[at]
		}
	}
	b.Fill(len(recs))
	if s.clock != 0 {
		b.SetReplay(s.clock)
	}
	return nil
}
