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
	convert := same
	if p.Settings().CompatULOGD2() {
		convert = reversed
	}
	return addresses.Bind(p, names, addresses.Gaps{ARP: true, ReplyDaddr: p.Settings().CompatULOGD2()}, convert)
}

func same(_ *engine.Batch, a engine.Addr, _ bool) engine.Addr { return a }

// reversed is the address with the octets of IPv4 in the order that ulogd2's integer has in memory.
func reversed(_ *engine.Batch, a engine.Addr, is6 bool) engine.Addr {
	if is6 {
		return a
	}
	return engine.Addr4(bits.ReverseBytes32(a.V4()))
}
