// Package ip2hbin is the IP2HBIN filter: addresses for SQL outputs that store them as numbers.
package ip2hbin

import (
	"math/bits"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/filter/addresses"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "IP2HBIN",
		Doc: `Gives every IP address of a record again, under ulogd2's names ip.hsaddr, ip.hdaddr and so on.

ulogd2 reverses the octets of IPv4 addresses here, because its SQL outputs insert the integer that they make in memory. Outputs here need no such
help: the value is the address. With compat = "ulogd2" it is reversed.`,
		Example: `stack = "ct1:NFCT,ip2hbin1:IP2HBIN,gp1:GPRINT"
`,
		Compat: true,
		Filter: func() engine.Filter { return ip2hbin{} },
	})
}

type ip2hbin struct{}

func (ip2hbin) Options(*engine.Options) {}

var names = addresses.Keys[engine.Addr]{
	key.IPHSaddr, key.IPHDaddr, key.OrigHSaddr, key.OrigHDaddr, key.ReplyHSaddr, key.ReplyHDaddr, key.ARPHSaddr, key.ARPHDaddr,
}

func (ip2hbin) Bind(p *engine.Binder) engine.Stage {
	compat := p.Settings().CompatULOGD2()
	return &stage{p.Family(), compat, addresses.Bind(p, names, addresses.Gaps{ARP: true, ReplyDaddr: compat})}
}

type stage struct {
	family  engine.Family
	reverse bool
	columns []addresses.Column[engine.Addr]
}

func (s *stage) Consume(b *engine.Batch) {
	for _, c := range s.columns {
		from, to := c.From.Of(b), c.To.Of(b)
		for _, r := range b.Rows() {
			to[r] = from[r]
			if s.reverse && !s.family.Is6(b, r) {
				to[r] = engine.Addr4(bits.ReverseBytes32(from[r].V4()))
			}
		}
	}
}
