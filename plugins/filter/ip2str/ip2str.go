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
	return addresses.Bind(p, texts, addresses.Gaps{}, text)
}

// text is the address in inet_ntop(3) form.
func text(b *engine.Batch, a engine.Addr, is6 bool) engine.String {
	t := b.Text()
	return engine.String(b.SetText(a.AppendText(t, is6), len(t)))
}
