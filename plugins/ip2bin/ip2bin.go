// Package ip2bin is the IP2BIN filter: addresses as SQL literals for a BINARY(16) column.
package ip2bin

import (
	"encoding/hex"

	"ulogd/engine"
	"ulogd/engine/key"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "IP2BIN", Kind: engine.FilterKind,
		Doc: `Gives every IP address of a record as 0x and 32 hexadecimal digits, under its name with .bin appended, for SQL outputs to insert unquoted.

IPv4 addresses are mapped into ::ffff:0:0/96.`,
		New: func() any { return ip2bin{} },
	})
}

type ip2bin struct{}

func (ip2bin) Options(*engine.Options) {}

// pairs are the addresses and their literals. ulogd2 2.0.8 has none for ARP.
var pairs = []struct {
	from  engine.Key[engine.Addr]
	to    engine.Key[engine.RawText]
	extra bool
}{
	{key.IPSaddr, key.IPSaddrBin, false},
	{key.IPDaddr, key.IPDaddrBin, false},
	{key.OrigSaddr, key.OrigSaddrBin, false},
	{key.OrigDaddr, key.OrigDaddrBin, false},
	{key.ReplySaddr, key.ReplySaddrBin, false},
	{key.ReplyDaddr, key.ReplyDaddrBin, false},
	{key.ARPSaddr, key.ARPSaddrBin, true},
	{key.ARPDaddr, key.ARPDaddrBin, true},
}

func (ip2bin) Bind(p *engine.Binder) engine.Stage {
	s := &stage{family: p.Family()}
	for _, pair := range pairs {
		from := engine.Want(p, pair.from)
		group := engine.GroupOf(p, from)
		if pair.to == key.ReplyDaddrBin && p.Settings().CompatULOGD2() {
			group = p.Group() // ulogd2 2.0.8 never set it
		}
		give := engine.Give[engine.RawText]
		if pair.extra {
			give = engine.GiveExtra[engine.RawText]
		}
		c := column{from: from, to: give(p, group, pair.to)}
		if from.Given() && c.to.Mask() == from.Mask() {
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
	to   engine.Col[engine.RawText]
}

func (s *stage) Consume(b *engine.Batch) {
	text, have := b.Text(), b.Have()
	var octets [16]byte
	for _, c := range s.columns {
		if !c.to.Wanted() {
			continue
		}
		from, to, m := c.from.Of(b), c.to.Of(b), c.from.Mask()
		for _, r := range b.Rows() {
			if have[r]&m == 0 {
				continue
			}
			a := from[r]
			if !s.family.Is6(b, r) {
				a = engine.Addr4(a.V4())
			}
			a.Put16(octets[:])
			start := len(text)
			text = append(text, "0x"...)
			text = hex.AppendEncode(text, octets[:])
			to[r] = engine.RawText(b.SetText(text, start))
		}
	}
}
