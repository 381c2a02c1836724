package nfct

import (
	"net/netip"
	"testing"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/plugins/input/nfct/ctnetlink"
	"ulogd/test/cttest"
)

func TestOwnSessionsAreRecognised(t *testing.T) {
	var own engine.OwnTraffic
	own.Add(
		engine.SocketPair{
			Protocol: 6,
			Local:    netip.MustParseAddrPort("192.0.2.1:40000"),
			Remote:   netip.MustParseAddrPort("198.51.100.7:443"),
		},
	)
	r := reader{in: &nfct{own: own.Tuples()}}
	change := func(f func(*cttest.Message)) cttest.Message {
		c := cttest.DestroyTCP
		f(&c)
		return c
	}
	for _, c := range []struct {
		name string
		conn cttest.Message
		want bool
	}{
		{"the session", cttest.DestroyTCP, true},
		{"seen from the other end", change(func(c *cttest.Message) { c.Src, c.Dst, c.Sport, c.Dport = c.Dst, c.Src, c.Dport, c.Sport }), true},
		{"another port", change(func(c *cttest.Message) { c.Sport++ }), false},
		{"another address", change(func(c *cttest.Message) { c.Dst = "198.51.100.8" }), false},
		{"another protocol", change(func(c *cttest.Message) { c.Proto = 17 }), false},
	} {
		m, _ := nlattr.NextMessage(c.conn.Bytes())
		var f ctnetlink.Flow
		if !f.Decode(&m) || r.in.isOwn(&f) != c.want {
			t.Errorf("%s: own is %v", c.name, !c.want)
		}
	}
}
