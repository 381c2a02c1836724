// Package printflow is the PRINTFLOW filter: a flow as one line of text.
package printflow

import (
	"strconv"

	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "PRINTFLOW",
		Doc: `Writes a flow as one line of text, both directions, for LOGEMU and SYSLOG.

A stack needs IP2STR before it. With compat = "ulogd2" the type and the code of ICMP are exchanged, and ICMPv6, SCTP,
DCCP and UDP-Lite are shown by their number alone, as ulogd2 does.

extra_keys = true adds the conntrack entry's number and the state of a TCP connection, where the record has them:
ID=3190434 STATE=TIME_WAIT.`,
		Example: `stack = "ct1:NFCT,ip2str1:IP2STR,print1:PRINTFLOW,sys1:SYSLOG"
`,
		Compat: true,
		Filter: func() engine.Filter { return &printflow{} },
	})
}

type printflow struct{ extra bool }

func (f *printflow) Options(o *engine.Options) {
	o.Bool(&f.extra, "extra_keys", false, "show also what ulogd2 does not: ID and STATE")
}

func (f *printflow) Bind(p *engine.Binder) engine.Stage {
	s := &stage{compat: p.Settings().CompatULOGD2()}
	s.event = engine.Want(p, key.CTEvent)
	s.icmpType, s.icmpCode = engine.Want(p, key.ICMPType), engine.Want(p, key.ICMPCode)
	s.icmp6Type, s.icmp6Code = engine.Want(p, key.ICMP6Type), engine.Want(p, key.ICMP6Code)
	s.orig = half{
		saddr: engine.Need(p, key.OrigSaddrStr), daddr: engine.Need(p, key.OrigDaddrStr), proto: engine.Need(p, key.OrigProtocol),
		sport: engine.Want(p, key.OrigSport), dport: engine.Want(p, key.OrigDport),
		packets: engine.Want(p, key.OrigPackets), octets: engine.Want(p, key.OrigOctets),
	}
	s.reply = half{
		saddr: engine.Want(p, key.ReplySaddrStr), daddr: engine.Want(p, key.ReplyDaddrStr), proto: engine.Want(p, key.ReplyProtocol),
		sport: engine.Want(p, key.ReplySport), dport: engine.Want(p, key.ReplyDport),
		packets: engine.Want(p, key.ReplyPackets), octets: engine.Want(p, key.ReplyOctets),
	}
	if f.extra {
		s.more, s.id, s.state = true, engine.Want(p, key.CTID), engine.Want(p, key.CTTCPState)
	}
	s.print = engine.Give(p, p.Group(), key.Print)
	return s
}

type stage struct {
	event                engine.Col[uint32]
	icmpType, icmpCode   engine.Col[uint8]
	icmp6Type, icmp6Code engine.Col[uint8]
	orig, reply          half
	print                engine.Col[engine.String]
	compat               bool
	more                 bool // extra_keys
	id                   engine.Col[uint32]
	state                engine.Col[uint8]
}

// half is one direction.
type half struct {
	saddr, daddr    engine.Col[engine.String]
	proto           engine.Col[uint8]
	sport, dport    engine.Col[uint16]
	packets, octets engine.Col[uint64]
}

func (s *stage) Consume(b *engine.Batch) {
	print, bit := s.print.Of(b), s.print.Mask()
	have, text := b.Have(), b.Text()
	for _, r := range b.Rows() {
		start := len(text)
		switch get(s.event, b, r) {
		case key.EventNew:
			text = append(text, "[NEW] "...)
		case key.EventUpdate:
			text = append(text, "[UPDATE] "...)
		case key.EventDestroy:
			text = append(text, "[DESTROY] "...)
		}
		text = s.half(append(text, "ORIG: "...), &s.orig, b, r)
		text = s.half(append(text, ", REPLY: "...), &s.reply, b, r)
		text = append(s.extra(text, b, r), '\n')
		print[r] = engine.String(b.SetText(text, start))
		have[r] |= bit
	}
}

// extra writes what extra_keys asks for.
func (s *stage) extra(t []byte, b *engine.Batch, r engine.Row) []byte {
	if !s.more || !s.id.Has(b, r) && !s.state.Has(b, r) {
		return t
	}
	t = append(t, ", "...)
	if s.id.Has(b, r) {
		t = appendNumber(t, "ID=", s.id.Of(b)[r])
	}
	if s.state.Has(b, r) {
		if state := s.state.Of(b)[r]; state < key.TCPStates {
			t = append(append(append(t, "STATE="...), key.TCPStateNames[state]...), ' ')
		} else {
			t = appendNumber(t, "STATE=", state)
		}
	}
	return t
}

func (s *stage) half(t []byte, h *half, b *engine.Batch, r engine.Row) []byte {
	if h.saddr.Has(b, r) {
		t = append(append(append(t, "SRC="...), b.Bytes(engine.Span(h.saddr.Of(b)[r]))...), ' ')
	}
	if h.daddr.Has(b, r) {
		t = append(append(append(t, "DST="...), b.Bytes(engine.Span(h.daddr.Of(b)[r]))...), ' ')
	}
	t = s.protocol(t, h, b, r)
	t = appendNumber(t, "PKTS=", get(h.packets, b, r))
	return appendNumber(t, "BYTES=", get(h.octets, b, r))
}

func (s *stage) protocol(t []byte, h *half, b *engine.Batch, r engine.Row) []byte {
	proto := get(h.proto, b, r)
	name := ""
	switch proto {
	case ipproto.TCP:
		name = "PROTO=TCP SPT="
	case ipproto.UDP:
		name = "PROTO=UDP SPT="
	case ipproto.ESP:
		return append(t, "PROTO=ESP "...)
	case ipproto.AH:
		return append(t, "PROTO=AH "...)
	case ipproto.ICMP:
		typ, code := get(s.icmpType, b, r), get(s.icmpCode, b, r)
		if s.compat {
			typ, code = code, typ
		}
		return appendNumber(appendNumber(t, "PROTO=ICMP TYPE=", typ), "CODE=", code)
	}
	if s.compat {
		return s.ports(t, name, proto, h, b, r)
	}
	switch proto {
	case ipproto.SCTP:
		name = "PROTO=SCTP SPT="
	case ipproto.DCCP:
		name = "PROTO=DCCP SPT="
	case ipproto.UDPLite:
		name = "PROTO=UDPLITE SPT="
	case ipproto.ICMPv6:
		t = appendNumber(t, "PROTO=ICMPv6 TYPE=", get(s.icmp6Type, b, r))
		return appendNumber(t, "CODE=", get(s.icmp6Code, b, r))
	}
	return s.ports(t, name, proto, h, b, r)
}

// ports writes a protocol by name with its ports, or by number.
func (s *stage) ports(t []byte, name string, proto uint8, h *half, b *engine.Batch, r engine.Row) []byte {
	if name == "" {
		return appendNumber(t, "PROTO=", proto)
	}
	return appendNumber(appendNumber(t, name, get(h.sport, b, r)), "DPT=", get(h.dport, b, r))
}

// get returns a number, 0 where the record lacks it.
func get[T uint8 | uint16 | uint32 | uint64](c engine.Col[T], b *engine.Batch, r engine.Row) T {
	if !c.Has(b, r) {
		return 0
	}
	return c.Of(b)[r]
}

func appendNumber[T uint8 | uint16 | uint32 | uint64](t []byte, name string, v T) []byte {
	return append(strconv.AppendUint(append(t, name...), uint64(v), 10), ' ')
}
