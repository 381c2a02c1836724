// Package ip2hbin is the IP2HBIN filter: addresses for SQL outputs that store them as numbers.
package ip2hbin

import (
	"math/bits"

	"ulogd/engine"
	"ulogd/engine/key"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "IP2HBIN", Kind: engine.FilterKind,
		Doc: `Gives every IP address of a record again, under ulogd2's names ip.hsaddr, ip.hdaddr and so on.

ulogd2 reverses the octets of IPv4 addresses here, because its SQL outputs insert the integer that they make in memory. Outputs here need no such
help: the value is the address. With compat = "ulogd2" it is reversed.`,
		New: func() any { return ip2hbin{} },
	})
}

type ip2hbin struct{}

func (ip2hbin) Options(*engine.Options) {}

// pairs are the addresses and the names they get. ulogd2 2.0.8 has none for ARP.
var pairs = []struct {
	from, to engine.Key[engine.Addr]
	extra    bool
}{
	{key.IPSaddr, key.IPHSaddr, false},
	{key.IPDaddr, key.IPHDaddr, false},
	{key.OrigSaddr, key.OrigHSaddr, false},
	{key.OrigDaddr, key.OrigHDaddr, false},
	{key.ReplySaddr, key.ReplyHSaddr, false},
	{key.ReplyDaddr, key.ReplyHDaddr, false},
	{key.ARPSaddr, key.ARPHSaddr, true},
	{key.ARPDaddr, key.ARPHDaddr, true},
}

func (ip2hbin) Bind(p *engine.Binder) engine.Stage {
	s := &stage{family: p.Family(), reverse: p.Settings().CompatULOGD2()}
	for _, pair := range pairs {
		from := engine.Want(p, pair.from)
		group := engine.GroupOf(p, from)
		if s.reverse && pair.to == key.ReplyHDaddr {
			group = p.Group() // ulogd2 2.0.8 never set it
		}
		give := engine.Give[engine.Addr]
		if pair.extra {
			give = engine.GiveExtra[engine.Addr]
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
	reverse bool
	columns []column
}

type column struct{ from, to engine.Col[engine.Addr] }

func (s *stage) Consume(b *engine.Batch) {
	for _, c := range s.columns {
		from, to := c.from.Of(b), c.to.Of(b)
		for _, r := range b.Rows() {
			to[r] = from[r]
			if s.reverse && !s.family.Is6(b, r) {
				to[r] = engine.Addr4(bits.ReverseBytes32(from[r].V4()))
			}
		}
	}
}
