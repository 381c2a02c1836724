// Package graphite is the GRAPHITE output: counters for carbon's plaintext protocol.
package graphite

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
	"unicode/utf8"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/text"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/sink/peer"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "GRAPHITE",
		Doc: `Sends two lines per counter to carbon over TCP: PREFIX.NAME.pkts VALUE TIME and PREFIX.NAME.bytes VALUE TIME.

The time is the record's, or now where it has none. Blanks and control characters in a counter's name become underscores. The
daemon starts without carbon, connects again when the connection breaks, and keeps records in the output's queue meanwhile.`,
		Example: `stack = "acct1:NFACCT,graphite1:GRAPHITE"

[acct1]
pollinterval = 60

[graphite1]
host = "192.0.2.1"
port = "2003"
prefix = "netfilter.gw1"
`,
		Output: func() engine.Output { return &graphite{} },
	})
}

type graphite struct {
	sink.Sink
	peer               peer.Peer
	host, port, prefix string
}

// The optional parts of the contract that it implements (engine/plugin.go).
var _ engine.Validator = (*graphite)(nil)

func (g *graphite) Options(o *engine.Options) {
	o.String(&g.host, "host", "", "name or address of the carbon server")
	o.String(&g.port, "port", "", "its port, 2003 by custom")
	o.String(&g.prefix, "prefix", "", "what names begin with")
	g.peer.From.Options(o)
}

func (g *graphite) Validate() error {
	if g.host == "" {
		return errors.New("host: is not set; name the carbon server")
	}
	if _, err := net.LookupPort("tcp", g.port); err != nil || g.port == "" {
		return fmt.Errorf("port: %q is neither a number up to 65535 nor a known service; carbon's is 2003", g.port)
	}
	return g.peer.From.Validate()
}

func (g *graphite) Bind(p *engine.Binder) engine.Stage {
	g.peer.Network, g.peer.Address = "tcp", net.JoinHostPort(g.host, g.port)
	return &stage{
		graphite: g, Writer: g.Sink.Bind(p, &g.peer),
		name: engine.Require(p, key.SumName),
		pkts: engine.Require(p, key.SumPackets), octets: engine.Require(p, key.SumOctets),
		at: engine.Want(p, key.OOBTime),
	}
}

// stage is GRAPHITE at the end of one stack.
type stage struct {
	*graphite
	*sink.Writer
	name         engine.Col[engine.String]
	pkts, octets engine.Col[uint64]
	at           engine.Col[engine.Time]
}

func (s *stage) Consume(b *engine.Batch) {
	names, pkts, octets, times, timed := s.name.Of(b), s.pkts.Of(b), s.octets.Of(b), s.at.Of(b), s.at.Mask()
	have := b.Have()
	buf := s.Begin()
	for _, r := range b.Rows() {
		sec := b.Clock() / int64(time.Second)
		if have[r]&timed != 0 && times[r].Sec() != 0 {
			sec = int64(times[r].Sec())
		}
		start := len(buf)
		buf = s.appendPath(buf, b.Bytes(engine.Span(names[r])))
		end := len(buf)
		buf = appendValue(buf, ".pkts ", pkts[r], sec)
		buf = append(buf, buf[start:end]...)
		buf = appendValue(buf, ".bytes ", octets[r], sec)
		buf = s.End(buf)
	}
	s.Commit(buf)
}

// appendPath appends the prefix and the counter's name, in which nothing can end the line or a field.
func (s *stage) appendPath(buf, name []byte) []byte {
	buf = append(append(buf, s.prefix...), '.')
	for i := 0; i < len(name); {
		c := name[i]
		if c > ' ' && c < 0x7f {
			buf = append(buf, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(name[i:])
		if c <= ' ' || c == 0x7f || text.IsC1(r, size, c) {
			buf = append(buf, '_')
		} else {
			buf = append(buf, name[i:i+size]...)
		}
		i += size
	}
	return buf
}

func appendValue(buf []byte, what string, value uint64, sec int64) []byte {
	buf = append(strconv.AppendUint(append(buf, what...), value, 10), ' ')
	return append(strconv.AppendInt(buf, sec, 10), '\n')
}
