// Package gprint is the GPRINT output: one line per record, name=value joined by commas.
package gprint

import (
	"strconv"
	"time"

	"ulogd/engine"
	"ulogd/engine/text"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/sink/logfile"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "GPRINT",
		Doc: `Writes one line per record: name=value of every valid key, in the order of the stack, joined by commas.

Raw data is left out. Control characters in texts are written as \x and two digits, and so is a comma with an equal sign behind it:
what a packet's prefix says cannot look like another field or line. With compat = "ulogd2" IPv6 addresses are
their first four octets, as ulogd2 2.0.8 printed them.`,
		Example: `stack = "ct1:NFCT,gp1:GPRINT"

[gp1]
file = "/var/log/ulogd_gprint.log"
timestamp = true
`,
		Compat: true,
		Output: func() engine.Output { return &gprint{clock: text.Layout("timestamp=2006/01/02-15:04:05")} },
	})
}

type gprint struct {
	sink.Sink
	file      logfile.File
	keys      engine.Selection
	timestamp bool
	clock     text.Second
}

func (g *gprint) Options(o *engine.Options) {
	g.file.Declare(o, "/var/log/ulogd_gprint.log")
	o.Bool(&g.timestamp, "timestamp", false, "begin each line with the local time of writing")
	g.keys.Options(o)
}

func (g *gprint) Bind(p *engine.Binder) engine.Stage {
	s := &stage{gprint: g, Writer: g.Sink.Bind(p, &g.file), compat: p.Settings().CompatULOGD2()}
	for _, f := range g.keys.Fields(p) {
		if t := f.Type(); t != engine.RawType && t != engine.RawTextType {
			s.fields = append(s.fields, field{f, []byte("," + f.Name + "=")})
		}
	}
	return s
}

// stage is GPRINT at the end of one stack.
type stage struct {
	*gprint
	*sink.Writer
	fields []field
	compat bool
}

type field struct {
	engine.Field
	label []byte // ",name="
}

func (s *stage) Consume(b *engine.Batch) {
	now := s.clock.Text(b.Clock() / int64(time.Second))
	buf := s.Begin()
	for _, r := range b.Rows() {
		sep := 1 // the first label's comma is left out
		if s.timestamp {
			buf, sep = append(buf, now...), 0
		}
		for i := range s.fields {
			f := &s.fields[i]
			if !f.Has(b, r) {
				continue
			}
			buf, sep = append(buf, f.label[sep:]...), 0
			switch f.Type() {
			case engine.StringType:
				buf = text.AppendField(buf, f.Bytes(b, r))
			case engine.AddrType:
				buf = s.appendAddr(buf, f, b, r)
			case engine.Uint8Type, engine.Uint16Type, engine.Uint32Type, engine.Uint64Type, engine.BoolType:
				buf = strconv.AppendUint(buf, f.Uint(b, r), 10)
			default:
				buf = f.AppendText(buf, b, r)
			}
		}
		buf = s.End(append(buf, '\n'))
	}
	s.Commit(buf)
}

func (s *stage) appendAddr(buf []byte, f *field, b *engine.Batch, r engine.Row) []byte {
	a, is6 := f.Addr(b, r)
	if is6 && s.compat {
		a, is6 = engine.Addr4(uint32(a.Hi>>32)), false
	}
	return a.AppendText(buf, is6)
}
