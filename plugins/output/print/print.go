// Package print is the PRINT output: one readable line per record.
package print

import (
	"strconv"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/sink/logfile"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "PRINT",
		Doc: `Prints one line per record: name=value of every valid key, separated by blanks.

Times are UTC with microseconds, addresses in their usual form, text in quotes where it has blanks or control characters. Raw data is printed, in
hexadecimal, only where keys names it.`,
		Example: `stack = "ct1:NFCT,screen1:PRINT"

[screen1]
keys = ["orig.ip.saddr", "orig.ip.daddr", "orig.l4.dport", "orig.raw.pktlen"]
`,
		Output: func() engine.Output { return &print{} },
	})
}

type print struct {
	sink.Sink
	file logfile.File
	keys engine.Selection
}

func (p *print) Options(o *engine.Options) {
	p.file.Declare(o, "/dev/stdout")
	p.keys.Options(o)
}

func (p *print) Bind(b *engine.Binder) engine.Stage {
	s := &stage{print: p, Writer: p.Sink.Bind(b, &p.file)}
	for _, f := range engine.Whole(p.keys.Fields(b)) {
		if len(p.keys.Keys) > 0 || f.Type() != engine.RawType {
			s.fields = append(s.fields, f)
		}
	}
	return s
}

// stage is PRINT at the end of one stack.
type stage struct {
	*print
	*sink.Writer
	fields []engine.Field
}

func (s *stage) Consume(b *engine.Batch) {
	buf := s.Begin()
	for _, r := range b.Rows() {
		start := len(buf)
		for i := range s.fields {
			f := &s.fields[i]
			if !f.Has(b, r) {
				continue
			}
			if len(buf) > start {
				buf = append(buf, ' ')
			}
			buf = append(append(buf, f.Name...), '=')
			buf = appendValue(buf, f, b, r)
		}
		buf = s.End(append(buf, '\n'))
	}
	s.Commit(buf)
}

func appendValue(line []byte, f *engine.Field, b *engine.Batch, r engine.Row) []byte {
	switch f.Type() {
	case engine.TimeType:
		return time.Unix(0, int64(f.Uint(b, r))).UTC().AppendFormat(line, "2006-01-02T15:04:05.000000Z")
	case engine.StringType, engine.RawTextType:
		text := f.Bytes(b, r)
		if plain(text) {
			return append(line, text...)
		}
		return strconv.AppendQuote(line, string(text))
	}
	return f.AppendText(line, b, r)
}

// plain reports whether text can stand without quotes.
func plain(text []byte) bool {
	for _, c := range text {
		if c <= ' ' || c == '"' || c >= 0x7f {
			return false
		}
	}
	return len(text) > 0
}
