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
	return addresses.Bind(p, literals, gaps, literal)
}

// literal is the address as an SQL literal of 16 octets.
func literal(b *engine.Batch, a engine.Addr, is6 bool) engine.RawText {
	if !is6 {
		a = engine.Addr4(a.V4())
	}
	var octets [16]byte
	a.Put16(octets[:])
	t := b.Text()
	return engine.RawText(b.SetText(hex.AppendEncode(append(t, "0x"...), octets[:]), len(t)))
}
