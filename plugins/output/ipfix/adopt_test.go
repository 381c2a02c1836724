package ipfix

import (
	"bytes"
	"testing"

	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
)

// FuzzAdopt reads messages and their templates as they might lie in a spool. What one run has
// stored another one that numbers templates from elsewhere must adopt, and the strict decoder must
// read it as it was; anything else it may refuse.
func FuzzAdopt(f *testing.F) {
	var contexts, messages [][]byte
	var records []int
	onBatch(f, true, flows256(4), map[string]string{"nat_events": "true"}, func(s *stage, b *engine.Batch) {
		w, a := s.o.packers[0], newAdopter(&s.o.templates)
		w.Limit = 8192
		s.encoder.Encode(b, b.Rows(), w)
		w.Finish()
		w.Take(func(msg []byte, m collector.Mark) {
			contexts, messages = append(contexts, bytes.Clone(a.Context(m))), append(messages, bytes.Clone(msg))
			records = append(records, m.Records)
		})
		s.o.Env().Stats.Filtered.Add(b.Len())
	})
	for i := range messages {
		f.Add(contexts[i], messages[i])
	}
	f.Add([]byte{}, messages[0])
	f.Add(contexts[0], messages[0][:17])
	f.Add([]byte{0, 2, 0, 8, 1, 1, 0, 0}, messages[0])
	f.Fuzz(func(t *testing.T, context, msg []byte) {
		registry := export.Templates{Dialect: export.IPFIX, First: 300, Max: 8}
		a := newAdopter(&registry)
		m, ok := a.Adopt(context, bytes.Clone(msg))
		for i := range messages {
			if bytes.Equal(context, contexts[i]) && bytes.Equal(msg, messages[i]) && !ok {
				t.Fatal("a message that was stored is refused")
			}
		}
		if !ok {
			return
		}
		if m.Needs&^registry.Known() != 0 || m.Brings&^registry.Known() != 0 {
			t.Errorf("mark %+v names templates that there are not: %b", m, registry.Known())
		}
	})
}

// TestAdopt reads adopted messages back, behind the templates of the run that adopts them.
func TestAdopt(t *testing.T) {
	onBatch(t, true, flows256(4), map[string]string{}, func(s *stage, b *engine.Batch) {
		registry := export.Templates{Dialect: export.IPFIX, First: 300, Max: 8}
		registry.Of([]export.Specifier{{IE: engine.IE{ID: 1}, Length: 8}}, 0) // takes the first number
		old, now := newAdopter(&s.o.templates), newAdopter(&registry)
		w, own, adopted := s.o.packers[0], newSession(), newSession()
		own.stored, adopted.stored = true, true
		w.Limit = 2048
		s.encoder.Encode(b, b.Rows(), w)
		w.Finish()
		sent := uint32(0)
		w.Take(func(msg []byte, m collector.Mark) {
			stamp(msg, sent)
			want, copied := own.must(t, msg), bytes.Clone(msg)
			m2, ok := now.Adopt(old.Context(m), copied)
			if !ok || m2.Needs == m.Needs {
				t.Fatalf("adopted: %v, as %b after %b", ok, m2.Needs, m.Needs)
			}
			for _, ahead := range registry.TemplateMessages(m2.Needs, 65535) {
				stamp(ahead, sent)
				adopted.must(t, ahead)
			}
			got := adopted.must(t, copied)
			if len(got) != len(want) {
				t.Fatalf("%d records, want %d", len(got), len(want))
			}
			for i := range got {
				for _, e := range want[i].order {
					if !bytes.Equal(got[i].values[e], want[i].values[e]) {
						t.Errorf("record %d: element %v is %x, want %x", i, e, got[i].values[e], want[i].values[e])
					}
				}
			}
			sent += uint32(len(want))
		})
		s.o.Env().Stats.Filtered.Add(b.Len())
	})
}
