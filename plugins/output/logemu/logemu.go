// Package logemu is the LOGEMU output: lines like those of a syslog file.
package logemu

import (
	"os"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/text"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/sink/logfile"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "LOGEMU",
		Doc: `Writes the lines that PRINTPKT and PRINTFLOW make to a file, each after its time and the name of the host, as a syslog daemon would.

The time is local: the packet's, or for flows the present. The host's name is that at start, up to its first dot.`,
		Example: `stack = "ct1:NFCT,ip2str1:IP2STR,print1:PRINTFLOW,emu1:LOGEMU"

[emu1]
file = "/var/log/ulogd_flows.log"
`,
		Output: func() engine.Output { return &logemu{} },
	})
}

type logemu struct {
	sink.Sink
	file       logfile.File
	host       string
	timeFormat string
}

func (l *logemu) Options(o *engine.Options) {
	l.file.Declare(o, "/var/log/ulogd_syslogemu.log")
	text.Stamp(o, &l.timeFormat)
}

func (l *logemu) Bind(p *engine.Binder) engine.Stage {
	name, err := os.Hostname()
	if err != nil {
		p.Problem("the host's name is not known: %v", err)
	}
	l.host, _, _ = strings.Cut(name, ".")
	s := &stage{
		logemu: l, Writer: l.Sink.Bind(p, &l.file),
		print: engine.Require(p, key.Print), time: engine.Want(p, key.OOBTime),
	}
	s.stamp.Format = func(dst []byte, t time.Time) []byte {
		return append(append(append(text.Format(dst, t, l.timeFormat), ' '), l.host...), ' ')
	}
	return s
}

// stage is LOGEMU at the end of one stack.
type stage struct {
	*logemu
	*sink.Writer
	print engine.Col[engine.String]
	time  engine.Col[engine.Time]
	stamp text.Second
}

func (s *stage) Consume(b *engine.Batch) {
	print := s.print.Of(b)
	when, hasTime := s.time.Of(b), s.time.Mask()
	have, now := b.Have(), b.Clock()/1e9
	buf := s.Begin()
	for _, r := range b.Rows() {
		second := now
		if have[r]&hasTime != 0 {
			second = int64(when[r]) / 1e9
		}
		buf = append(buf, s.stamp.Text(second)...)
		line := b.Bytes(engine.Span(print[r]))
		if n := len(line) - 1; n >= 0 && line[n] == '\n' {
			buf = append(text.AppendClean(buf, line[:n]), '\n')
		} else {
			buf = text.AppendClean(buf, line)
		}
		buf = s.End(buf)
	}
	s.Commit(buf)
}
