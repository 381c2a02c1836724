// Records into messages.

package syslog

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/text"
	"ulogd/plugins/output/sink"
)

// stage is SYSLOG at the end of one stack.
type stage struct {
	*syslog
	*sink.Writer
	print   engine.Col[engine.String]
	at      engine.Col[engine.Time]
	local   []byte // " IDENT[PID]: "
	server  []byte // " HOST IDENT PID - - "
	message []byte
}

func (s *syslog) Bind(p *engine.Binder) engine.Stage {
	pid := strconv.Itoa(os.Getpid())
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "-"
	}
	return &stage{
		syslog: s, Writer: s.Sink.Bind(p, s.target()), print: engine.Require(p, key.Print), at: engine.Want(p, key.OOBTime),
		local: []byte(" " + s.ident + "[" + pid + "]: "), server: []byte(" " + host + " " + s.ident + " " + pid + " - - "),
	}
}

func (s *stage) Consume(b *engine.Batch) {
	lines := s.print.Of(b)
	buf := s.Begin()
	for _, r := range b.Rows() {
		line, _ := bytes.CutSuffix(b.Bytes(engine.Span(lines[r])), []byte("\n"))
		switch s.transport {
		case "local":
			buf = append(append(buf, s.priority...), s.clock.Text(b.Clock()/int64(time.Second))...)
			// syslog(3) sends the line as it is, with its newline.
			buf = append(text.AppendClean(append(buf, s.local...), line), '\n')
		case "udp":
			buf = s.appendRFC5424(buf, line, b, r)
		default:
			s.message = s.appendRFC5424(s.message[:0], line, b, r)
			buf = append(strconv.AppendInt(buf, int64(len(s.message)), 10), ' ')
			buf = append(buf, s.message...)
		}
		buf = s.End(buf)
	}
	s.Commit(buf)
}

// appendRFC5424 appends a message of RFC 5424 section 6, without a message identifier and
// structured data.
func (s *stage) appendRFC5424(dst, line []byte, b *engine.Batch, r engine.Row) []byte {
	at := engine.Time(b.Clock())
	if s.at.Has(b, r) {
		at = s.at.Of(b)[r]
	}
	dst = append(append(dst, s.priority...), "1 "...)
	dst = append(dst, s.stamp.Text(int64(at)/1e9)...)
	usec := at.Usec()
	for unit := uint32(100000); unit > 0; unit /= 10 {
		dst = append(dst, '0'+byte(usec/unit%10))
	}
	dst = append(append(dst, s.offset...), s.server...)
	return text.AppendClean(dst, line)
}
