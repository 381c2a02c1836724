// Package print is the PRINT output: one readable line per record.
package print

import (
	"bufio"
	"os"
	"strconv"
	"time"

	"ulogd/engine"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "PRINT", Kind: engine.OutputKind, MayBlock: true,
		Doc: `Prints one line per record: name=value of every valid key, separated by blanks.

Times are UTC with microseconds, addresses in their usual form, text in quotes where it has blanks or control characters. Raw data is printed, in
hexadecimal, only where keys names it.`,
		New: func() any { return &print{} },
	})
}

type print struct {
	file string
	keys engine.Selection

	f       *os.File
	w       *bufio.Writer
	line    []byte
	failed  *engine.Drop
	env     *engine.Env
	lastErr time.Time
}

func (p *print) Options(o *engine.Options) {
	o.String(&p.file, "file", "", "file to append to; unset: standard output")
	p.keys.Options(o)
}

func (p *print) Open(env *engine.Env) error {
	p.env = env
	p.f = os.Stdout
	if p.file != "" {
		f, err := os.OpenFile(p.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		p.f = f
	}
	p.w = bufio.NewWriterSize(p.f, 64<<10)
	return nil
}

func (p *print) Bind(b *engine.Binder) engine.Stage {
	p.failed = b.Stats().Drop("write_failed", "records that could not be written")
	s := &stage{print: p}
	for _, f := range engine.Whole(p.keys.Fields(b)) {
		if len(p.keys.Keys) > 0 || f.Type() != engine.RawType {
			s.fields = append(s.fields, f)
		}
	}
	return s
}

// Tick writes out what the lines of the last moment left in the buffer.
func (p *print) Tick(time.Time) { p.Flush() }

func (p *print) Flush() {
	if err := p.w.Flush(); err != nil {
		p.complain(err)
	}
}

// complain logs a failed write, once a minute, and lets later lines try again.
func (p *print) complain(err error) {
	p.w.Reset(p.f)
	if now := time.Now(); now.Sub(p.lastErr) > time.Minute {
		p.lastErr = now
		p.env.Log.Error("cannot print", "file", p.f.Name(), "error", err)
	}
}

func (p *print) Close() error {
	if p.f == nil || p.f == os.Stdout {
		return nil
	}
	return p.f.Close()
}

// stage is PRINT at the end of one stack.
type stage struct {
	*print
	fields []engine.Field
}

func (s *stage) Consume(b *engine.Batch) {
	lost := 0
	for _, r := range b.Rows() {
		line := s.line[:0]
		for i := range s.fields {
			f := &s.fields[i]
			if !f.Has(b, r) {
				continue
			}
			if len(line) > 0 {
				line = append(line, ' ')
			}
			line = append(append(line, f.Name...), '=')
			line = appendValue(line, f, b, r)
		}
		s.line = append(line, '\n')
		if _, err := s.w.Write(s.line); err != nil {
			s.complain(err)
			lost++
		}
	}
	if lost > 0 {
		s.failed.Rows(b, lost)
	}
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

// plain tells whether text can stand without quotes.
func plain(text []byte) bool {
	for _, c := range text {
		if c <= ' ' || c == '"' || c >= 0x7f {
			return false
		}
	}
	return len(text) > 0
}
