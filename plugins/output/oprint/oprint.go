// Package oprint is the OPRINT output: one line per key, records parted by a line of their own.
package oprint

import (
	"math/bits"

	"ulogd/engine"
	"ulogd/engine/text"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/sink/logfile"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "OPRINT",
		Doc: `Writes for each record the line ===>PACKET BOUNDARY and one line name=value per valid key, in the order of the stack.

Raw data is shown as the word default. Control characters in texts are written as \x and two digits, so that a packet's prefix
cannot begin a line. With compat = "ulogd2" addresses are four octets in reversed order, as ulogd2 2.0.8 printed them.`,
		Example: `stack = "ct1:NFCT,op1:OPRINT"

[op1]
file = "/var/log/ulogd_oprint.log"
`,
		Compat: true,
		Output: func() engine.Output { return &oprint{} },
	})
}

type oprint struct {
	sink.Sink
	file logfile.File
	keys engine.Selection
}

func (o *oprint) Options(opts *engine.Options) {
	o.file.Declare(opts, "/var/log/ulogd_oprint.log")
	o.keys.Options(opts)
}

// handles are keys by which ulogd2's inputs pass on a library's object. Nothing stands behind them
// here, but OPRINT shows them, always with the word default: behind the key of that name of that
// plugin.
var handles = map[string]string{
	"NFLOG raw.mac.addrlen": "raw=default\n",
	"NFCT oob.protocol":     "ct=default\n",
	"NFACCT sum.bytes":      "sum=default\n",
}

func (o *oprint) Bind(p *engine.Binder) engine.Stage {
	s := &stage{oprint: o, Writer: o.Sink.Bind(p, &o.file), compat: p.Settings().CompatULOGD2()}
	for _, f := range o.keys.Fields(p) {
		s.fields = append(s.fields, field{Field: f, label: []byte(f.Name + "=")})
		if h := handles[p.Stack().Input+" "+f.Name]; h != "" && len(o.keys.Keys) == 0 && !s.handle {
			s.fields[len(s.fields)-1].handle = []byte(h)
			s.handle = true
		}
	}
	return s
}

// stage is OPRINT at the end of one stack.
type stage struct {
	*oprint
	*sink.Writer
	fields []field
	compat bool
	handle bool // one of the fields has a handle
}

type field struct {
	engine.Field
	label  []byte // "name="
	handle []byte // a line to follow, whether the record has the key or not
}

func (s *stage) Consume(b *engine.Batch) {
	buf := s.Begin()
	for _, r := range b.Rows() {
		buf = append(buf, "===>PACKET BOUNDARY\n"...)
		for i := range s.fields {
			f := &s.fields[i]
			if f.Has(b, r) {
				buf = append(s.appendValue(append(buf, f.label...), f, b, r), '\n')
			}
			buf = append(buf, f.handle...)
		}
		buf = s.End(buf)
	}
	s.Commit(buf)
}

func (s *stage) appendValue(buf []byte, f *field, b *engine.Batch, r engine.Row) []byte {
	switch f.Type() {
	case engine.RawType, engine.RawTextType:
		return append(buf, "default"...)
	case engine.StringType:
		return text.AppendClean(buf, f.Bytes(b, r))
	case engine.AddrType:
		a, is6 := f.Addr(b, r)
		if s.compat {
			four := a.V4()
			if is6 {
				four = uint32(a.Hi >> 32)
			}
			a, is6 = engine.Addr4(bits.ReverseBytes32(four)), false
		}
		return a.AppendText(buf, is6)
	}
	return f.AppendText(buf, b, r)
}
