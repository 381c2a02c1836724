// Several interfaces of a namespace at once, named or all.

package pcap

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"ulogd/test/nstest"
	pt "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// TestSeveralInterfaces captures from three interfaces, one of which goes away and comes back, and
// from loopback, where each packet is sent and received.
func TestSeveralInterfaces(t *testing.T) {
	for _, names := range []string{`"any"`, `["b0", "b1", "b2", "lo"]`} {
		t.Run(names, func(t *testing.T) { severalInterfaces(t, names) })
	}
}

func severalInterfaces(t *testing.T, names string) {
	nstest.Need(t, "root", "veth", "tool:ip")
	a, b := nstest.New(t), nstest.New(t)
	for _, ns := range []*nstest.NS{a, b} {
		ns.Sysctl(t, "net.ipv6.conf.default.disable_ipv6", "1")
	}
	for i := range 3 {
		nstest.Veth(t, a, b, fmt.Sprint("a", i), fmt.Sprintf("192.0.%d.1/24", i), fmt.Sprint("b", i),
			fmt.Sprintf("192.0.%d.2/24", i))
	}
	d := stacktest.Start(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,out:RECORD"
[in]
network_namespace_path = %q
interface = %s
filter = "udp port 9999"
[out]
name = %q
keys = ["oob.ifindex_in", "oob.ifindex_out", "ip.saddr", "ip.daddr"]
`, b.Path(), names, t.Name()))
	var want []string
	send := func(ns *nstest.NS, iface, src, dst, seenAs string) {
		wire(t, ns, iface)(pt.Build(pt.Ethernet{Dst: pt.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
			pt.IPv4{Src: src, Dst: dst}, pt.UDP{Src: 9, Dst: 9999}, pt.Zeros(20)))
		want = append(want, fmt.Sprintf("%s ip.saddr=%s ip.daddr=%s", seenAs, src, dst))
		d.Eventually("the packet is read", func() bool { return int(d.Stats("out").Out) >= len(want) })
	}
	for i := range 3 {
		send(a, fmt.Sprint("a", i), fmt.Sprintf("192.0.%d.1", i), "192.0.2.99",
			fmt.Sprint("oob.ifindex_in=", index(t, b, fmt.Sprint("b", i))))
	}
	send(b, "b1", "192.0.1.2", "192.0.1.1", fmt.Sprint("oob.ifindex_out=", index(t, b, "b1")))
	send(b, "lo", "127.0.0.1", "127.0.0.1", "oob.ifindex_in=1")
	if out, err := exec.Command("ip", "-n", b.Name(), "link", "del", "b2").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	named := int64(0)
	if names != `"any"` {
		named = 1
	}
	d.Eventually("the daemon sees that one is gone", func() bool { return d.Count("in", "removed") == named })
	send(a, "a0", "192.0.0.3", "192.0.0.2", fmt.Sprint("oob.ifindex_in=", index(t, b, "b0")))
	nstest.Veth(t, a, b, "a2", "192.0.2.1/24", "b2", "192.0.2.2/24")
	d.Eventually("it is captured again", func() bool {
		return named == 0 || d.Log.Has("WARN the interface is there; capturing goes on id=in plugin=PCAP interface=b2")
	})
	send(a, "a2", "192.0.2.4", "192.0.2.2", fmt.Sprint("oob.ifindex_in=", index(t, b, "b2")))
	d.Stop()
	if got := stacktest.Recorded(t.Name()); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s := d.Stats("in"); s.Dropped != 0 || s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}
