package store

import (
	"bytes"
	"slices"
	"testing"

	"ulogd/engine"
	"ulogd/plugins/output/spool"
)

// FuzzStored reads any octets as a message of the spool. What is no message of ours is no row; what is one is read
// as it is written.
func FuzzStored(f *testing.F) {
	shape := &Shape{Keys: []Key{
		{"oob.family", engine.Uint8Type},
		{"orig.ip.saddr", engine.AddrType},
		{"ct.helper", engine.StringType},
		{"flow.start", engine.TimeType},
		{"ct.labels", engine.LabelType},
		{"orig.mac.saddr", engine.MACType},
		{"tcp.syn", engine.BoolType},
		{"n", engine.Int16Type},
		{"raw", engine.RawType},
	}}
	rows := []byte("\x03\x00\x02\x04\x0a\x00\x00\x01") // a family and an address
	seed := &Rows{Shape: shape, First: 7, data: rows, ends: []int{len(rows)}}
	context := appendContext(nil, seed, 0)
	body := append([]byte{byte(len(rows))}, rows...)
	f.Add(context, body, 1)
	f.Add(context, append(bytes.Clone(body), body...), 2)
	f.Add(context, body[:len(body)-1], 1)
	f.Add(context, []byte("\x02\xff\x01"), 1)
	f.Add(context[:20], body, 1)
	f.Add(append(bytes.Clone(context), 0), body, 1)
	f.Add(appendContext(nil, &Rows{Shape: &Shape{}, First: 1<<30 - 1}, 0), []byte("\x00\x00"), 2)
	f.Add([]byte{}, []byte{}, 0)
	f.Fuzz(func(t *testing.T, context, body []byte, records int) {
		id, first, s, ok := parseContext(context)
		if !ok {
			return
		}
		if first < 0 || slices.ContainsFunc(s.Keys, func(k Key) bool { return widths[k.Type] == 0 }) {
			t.Fatalf("first row %d, keys %v", first, s.Keys)
		}
		if again := appendContext(nil, &Rows{Shape: s, Batch: id, First: first}, 0); len(again) > len(context) {
			t.Errorf("%x is read as if it were %x", context, again)
		}
		b := &batch{}
		if !b.adopt(spool.Message{Records: records, Context: context, Body: body}, id, first, s) {
			if b.Len() > 0 {
				t.Error("rows of a message that is none")
			}
			return
		}
		if b.Len() != records {
			t.Errorf("%d rows of %d", b.Len(), records)
		}
		v := make([]Value, len(s.Keys))
		dating, hash := s.Dating(), s.FlowHash()
		for i := range b.Len() {
			b.Read(i, v)
			hash.Of(v)
			dating.Of(v)
			for k := range v {
				if v[k].Valid {
					v[k].AppendText(nil, s.Keys[k].Type)
				}
			}
		}
		for m := range (&disk{}).messages(b) {
			if _, again, _, ok := parseContext(m.Context); !ok || again < first {
				t.Errorf("a row from %d on is written as one from %d on: %v", first, again, ok)
			}
		}
	})
}
