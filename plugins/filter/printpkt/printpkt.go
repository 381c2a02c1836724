// Package printpkt is the PRINTPKT filter: a packet as one line of text, in the manner of the
// kernel's own log.
package printpkt

import (
	"strconv"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/text"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "PRINTPKT",
		Doc: `Writes a packet as one line of text, in the manner of the kernel's log, for LOGEMU and SYSLOG.

A stack needs BASE and IP2STR before it, and IFINDEX where the input gives interface indexes. Details of ICMP are shown by the message's type; with
compat = "ulogd2" they are chosen by its code, as ulogd2 does. Control characters of prefixes and of interface names are written as \xNN, so that no
packet can forge a line.`,
		Example: `stack = "log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU"

[log1]
group = 1
`,
		Compat: true,
		Filter: func() engine.Filter { return printpkt{} },
	})
}

type printpkt struct{}

func (printpkt) Options(*engine.Options) {}

func (printpkt) Bind(p *engine.Binder) engine.Stage {
	s := &stage{compat: p.Settings().CompatULOGD2()}
	s.bind(p)
	if engine.Want(p, key.OOBIfIn).Given() && !s.in.col.Given() {
		p.Problem("oob.in and oob.out are missing; put IFINDEX before it")
	}
	s.print = engine.Give(p, p.Group(), key.Print)
	return s
}

type stage struct {
	columns
	print  engine.Col[engine.String]
	compat bool
}

func (s *stage) Consume(b *engine.Batch) {
	s.load(b)
	l := line{columns: &s.columns, b: b, have: b.Have(), compat: s.compat}
	print, bit := s.print.Of(b), s.print.Mask()
	t := b.Text()
	for _, r := range b.Rows() {
		start := len(t)
		l.r, l.bits = r, l.have[r]
		t = l.append(t)
		print[r] = engine.String(b.SetText(t, start))
		l.have[r] |= bit
	}
}

// line is the record being written.
type line struct {
	*columns
	b      *engine.Batch
	have   *[engine.BatchSize]uint64
	r      engine.Row
	bits   uint64 // have[r]
	compat bool
}

// append writes the whole line. Every item ends in a blank, so does the line.
func (l *line) append(t []byte) []byte {
	if l.bits&l.prefix.bit != 0 {
		t = append(text.AppendClean(t, l.string(&l.prefix)), ' ')
	}
	if l.bits&l.in.bit != 0 && l.bits&l.out.bit != 0 {
		t = text.AppendClean(append(t, "IN="...), l.string(&l.in))
		t = text.AppendClean(append(t, " OUT="...), l.string(&l.out))
		t = append(t, ' ')
	}
	t = append(t, "MAC="...)
	if l.bits&l.mac.bit != 0 {
		t = engine.AppendMAC(t, l.b.Bytes(engine.Span(l.mac.v[l.r])))
	}
	t = append(t, ' ')
	t = l.network(t)
	if l.bits&l.uid.bit != 0 {
		t = appendNumber(t, "UID=", l.uid.v[l.r])
	}
	if l.bits&l.gid.bit != 0 {
		t = appendNumber(t, "GID=", l.gid.v[l.r])
	}
	if l.bits&l.mark.bit != 0 {
		t = append(strconv.AppendUint(append(t, "MARK=0x"...), uint64(l.mark.v[l.r]), 16), ' ')
	}
	return append(t, '\n')
}

// network writes the part of the line that the family decides.
func (l *line) network(t []byte) []byte {
	family, protocol := l.family.v[l.r], get(l, &l.protocol)
	switch family {
	case engine.FamilyIPv4:
		return l.ipv4(t)
	case engine.FamilyIPv6:
		return l.ipv6(t)
	case engine.FamilyBridge:
	case engine.FamilyNetdev, engine.FamilyARP:
		if l.compat { // ulogd2 2.0.8 prints nothing
			return t
		}
	default:
		return t
	}
	switch protocol {
	case engine.EtherIPv4:
		return l.ipv4(t)
	case engine.EtherIPv6:
		return l.ipv6(t)
	case engine.EtherARP:
		return l.arp(t)
	}
	return appendNumber(t, "PROTO=", protocol)
}

func (l *line) arp(t []byte) []byte {
	t = l.addresses(t, &l.arpSaddr, &l.arpDaddr)
	t = append(t, "PROTO=ARP "...)
	if l.bits&l.arpOp.bit == 0 {
		return append(t, "INCOMPLETE "...)
	}
	switch op := l.arpOp.v[l.r]; op {
	case 1:
		t = append(t, "REQUEST "...)
	case 2:
		t = append(t, "REPLY REPLY_MAC="...)
		if l.bits&l.arpSHW.bit != 0 {
			t = engine.AppendMAC(t, l.b.Bytes(engine.Span(l.arpSHW.v[l.r])))
		}
		t = append(t, ' ')
	case 10:
		t = append(t, "NAK "...)
	default:
		t = appendNumber(t, "CODE=", op)
	}
	return t
}

func (l *line) addresses(t []byte, src, dst *field[engine.String]) []byte {
	if l.bits&src.bit != 0 {
		t = append(append(append(t, "SRC="...), l.string(src)...), ' ')
	}
	if l.bits&dst.bit != 0 {
		t = append(append(append(t, "DST="...), l.string(dst)...), ' ')
	}
	return t
}

func (l *line) string(c *field[engine.String]) []byte {
	return l.b.Bytes(engine.Span(c.v[l.r]))
}

// get returns a number, 0 where the record lacks it, as ulogd2 prints it.
func get[T uint8 | uint16 | uint32](l *line, c *field[T]) T {
	if l.bits&c.bit == 0 {
		return 0
	}
	return c.v[l.r]
}

func appendNumber[T uint8 | uint16 | uint32](t []byte, name string, v T) []byte {
	return append(strconv.AppendUint(append(t, name...), uint64(v), 10), ' ')
}
