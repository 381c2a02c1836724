// Package ip2str is the IP2STR filter: addresses as text.
package ip2str

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "IP2STR", Kind: engine.FilterKind,
		Doc: "Gives every IP address of a record as text, as inet_ntop(3) writes it, under its name with .str appended.",
		New: func() any { return ip2str{} },
	})
}

type ip2str struct{}

func (ip2str) Options(*engine.Options) {}

// pairs are the addresses and their texts, in ulogd2's order.
var pairs = []struct {
	from engine.Key[engine.Addr]
	to   engine.Key[engine.String]
}{
	{key.IPSaddr, key.IPSaddrStr},
	{key.IPDaddr, key.IPDaddrStr},
	{key.OrigSaddr, key.OrigSaddrStr},
	{key.OrigDaddr, key.OrigDaddrStr},
	{key.ReplySaddr, key.ReplySaddrStr},
	{key.ReplyDaddr, key.ReplyDaddrStr},
	{key.ARPSaddr, key.ARPSaddrStr},
	{key.ARPDaddr, key.ARPDaddrStr},
}

func (ip2str) Bind(p *engine.Binder) engine.Stage {
	s := &stage{family: p.Family()}
	for _, pair := range pairs {
		from := engine.Want(p, pair.from)
		c := column{from: from, to: engine.Give(p, engine.GroupOf(p, from), pair.to)}
		if from.Given() {
			s.columns = append(s.columns, c)
		}
	}
	return s
}

type stage struct {
	family  engine.Family
	columns []column
}

type column struct {
	from engine.Col[engine.Addr]
	to   engine.Col[engine.String]
}

func (s *stage) Consume(b *engine.Batch) {
	text, have := b.Text(), b.Have()
	for _, c := range s.columns {
		if !c.to.Wanted() {
			continue
		}
		from, to, m := c.from.Of(b), c.to.Of(b), c.from.Mask()
		for _, r := range b.Rows() {
			if have[r]&m == 0 {
				continue
			}
			start := len(text)
			text = from[r].AppendText(text, s.family.Is6(b, r))
			to[r] = engine.String(b.SetText(text, start))
		}
	}
}
