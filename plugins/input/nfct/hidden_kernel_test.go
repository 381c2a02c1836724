package nfct_test

import "testing"

// TestFamilyThatAFilterHides: who lists networks of one family is told that the other is left out,
// and how much of it; who lists a whole family has said so.
func TestFamilyThatAFilterHides(t *testing.T) {
	for _, c := range []struct {
		filter     string
		ipv4, ipv6 int64 // events of mixed that are counted
		records    int
	}{
		{`accept_src_filter = ["192.0.2.0/24"]`, 0, 2, 2},
		{`accept_dst_filter = ["2001:db8:2::/48"]`, 4, 0, 1},
		{`accept_src_filter = ["192.0.2.0/24", "2001:db8::/64"]`, 0, 0, 3},
		{`accept_src_filter = ["0.0.0.0/0"]`, 0, 0, 4},
		{`accept_src_filter = ["::/0"]`, 0, 0, 2},
	} {
		t.Run(c.filter, func(t *testing.T) {
			ns := tracked(t)
			d := start(t, ns, t.Name(), "event_mask = 4\n"+c.filter, `keys = "orig.ip.saddr"`)
			enter(t, ns, mixed...)
			ns.Run(t, "conntrack -F")
			collect(t, d, t.Name(), c.records)
			d.Stop()
			s := d.Stats("ct1")
			got := map[string]int64{}
			for _, x := range s.Exclusions {
				got[x.Name] = x.Value
			}
			if got["ipv4"] != c.ipv4 || got["ipv6"] != c.ipv6 || s.Filtered != c.ipv4+c.ipv6 {
				t.Errorf("left out %v of %d filtered; want %d of IPv4 and %d of IPv6", got, s.Filtered, c.ipv4, c.ipv6)
			}
			if said := d.Log.Has("lists no network of"); said != (c.ipv4+c.ipv6 > 0) {
				t.Errorf("the start says that a family is left out: %v\n%s", said, d.Log)
			}
		})
	}
}
