package nfct

import (
	"net/netip"
	"testing"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/nlattr"
)

func TestOwnSessionsAreRecognised(t *testing.T) {
	var own engine.OwnTraffic
	own.Add(engine.Session{Protocol: 6, Local: netip.MustParseAddrPort("192.0.2.1:40000"), Remote: netip.MustParseAddrPort("198.51.100.7:443")})
	r := reader{nfct: &nfct{own: own.Tuples()}}
	change := func(f func(*crafted)) crafted {
		c := destroyTCP
		f(&c)
		return c
	}
	for _, c := range []struct {
		name string
		conn crafted
		want bool
	}{
		{"the session", destroyTCP, true},
		{"seen from the other end", change(func(c *crafted) { c.src, c.dst, c.sport, c.dport = c.dst, c.src, c.dport, c.sport }), true},
		{"another port", change(func(c *crafted) { c.sport++ }), false},
		{"another address", change(func(c *crafted) { c.dst = "198.51.100.8" }), false},
		{"another protocol", change(func(c *crafted) { c.proto = 17 }), false},
	} {
		m, _ := nlattr.NextMessage(c.conn.message())
		var f flow
		if !f.decode(&m) || r.isOwn(&f) != c.want {
			t.Errorf("%s: own is %v", c.name, !c.want)
		}
	}
}
