// Package ip2str is the IP2STR filter: addresses as text.
package ip2str

import (
	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/filter/addresses"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "IP2STR",
		Doc:  "Gives every IP address of a record as text, as inet_ntop(3) writes it, under its name with .str appended.",
		Example: `stack = "ct1:NFCT,ip2str1:IP2STR,print1:PRINTFLOW,emu1:LOGEMU"
`,
		Filter: func() engine.Filter { return ip2str{} },
	})
}

type ip2str struct{}

func (ip2str) Options(*engine.Options) {}

var texts = addresses.Keys[engine.String]{
	key.IPSaddrStr, key.IPDaddrStr, key.OrigSaddrStr, key.OrigDaddrStr, key.ReplySaddrStr, key.ReplyDaddrStr, key.ARPSaddrStr, key.ARPDaddrStr,
}

func (ip2str) Bind(p *engine.Binder) engine.Stage {
	return &stage{p.Family(), addresses.Bind(p, texts, addresses.Gaps{})}
}

type stage struct {
	family  engine.Family
	columns []addresses.Column[engine.String]
}

func (s *stage) Consume(b *engine.Batch) {
	text, have := b.Text(), b.Have()
	for _, c := range s.columns {
		if !c.To.Wanted() {
			continue
		}
		from, to, m := c.From.Of(b), c.To.Of(b), c.From.Mask()
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
