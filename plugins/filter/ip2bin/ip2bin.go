// Package ip2bin is the IP2BIN filter: addresses as SQL literals for a BINARY(16) column.
package ip2bin

import (
	"encoding/hex"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/filter/addresses"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "IP2BIN",
		Doc: `Gives every IP address of a record as 0x and 32 hexadecimal digits, under its name with .bin appended, for SQL outputs to insert unquoted.

IPv4 addresses are mapped into ::ffff:0:0/96.`,
		Example: `stack = "ct1:NFCT,ip2bin1:IP2BIN,gp1:GPRINT"
`,
		Compat: true,
		Filter: func() engine.Filter { return ip2bin{} },
	})
}

type ip2bin struct{}

func (ip2bin) Options(*engine.Options) {}

var literals = addresses.Keys[engine.RawText]{
	key.IPSaddrBin, key.IPDaddrBin, key.OrigSaddrBin, key.OrigDaddrBin, key.ReplySaddrBin, key.ReplyDaddrBin, key.ARPSaddrBin, key.ARPDaddrBin,
}

func (ip2bin) Bind(p *engine.Binder) engine.Stage {
	gaps := addresses.Gaps{ARP: true, ReplyDaddr: p.Settings().CompatULOGD2()}
	return &stage{p.Family(), addresses.Bind(p, literals, gaps)}
}

type stage struct {
	family  engine.Family
	columns []addresses.Column[engine.RawText]
}

func (s *stage) Consume(b *engine.Batch) {
	text, have := b.Text(), b.Have()
	var octets [16]byte
	for _, c := range s.columns {
		if !c.To.Wanted() {
			continue
		}
		from, to, m := c.From.Of(b), c.To.Of(b), c.From.Mask()
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
