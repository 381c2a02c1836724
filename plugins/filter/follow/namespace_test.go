// What stands behind an input follows its namespace: whole stacks in real ones.

package follow_test

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	_ "ulogd/plugins/filter/ifindex"
	_ "ulogd/plugins/filter/route"
	_ "ulogd/plugins/input/nfct"
	_ "ulogd/plugins/input/nflog"
	_ "ulogd/plugins/output/ipfix"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// furnish gives a namespace an interface with the index 70, a route, and a rule that logs.
func furnish(t *testing.T, ns *nstest.NS, iface, router string) {
	t.Helper()
	nstest.EnableConntrack(t, ns)
	ns.Run(t, "sh -ec", fmt.Sprintf(`ip link add index 70 name %s type veth peer name other
		ip link set %[1]s up; ip link set other up; ip addr add 10.9.0.1/24 dev %[1]s
		ip route add 198.18.0.0/15 via %s`, iface, router))
	ns.Nft(t, `table inet t { chain out { type filter hook output priority 0; policy accept; udp dport 9 log group 7; }; }`)
}

// send sends a datagram through the interface.
func send(t *testing.T, ns *nstest.NS) {
	t.Helper()
	ns.Do(t, func() {
		c, err := net.Dial("udp", "198.18.0.5:9")
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
	})
}

// TestInterfacesOfTheNamespaceThatReturns: the first record of the new namespace has its names, and
// the last one of the old that one's.
func TestInterfacesOfTheNamespaceThatReturns(t *testing.T) {
	nstest.Need(t, "root", "nft", "nflog", "veth")
	for _, wait := range []bool{false, true} {
		t.Run(fmt.Sprint("wait=", wait), func(t *testing.T) {
			ns := nstest.New(t)
			if wait {
				ns.Remove(t)
			} else {
				furnish(t, ns, "first", "10.9.0.2")
			}
			d := stacktest.Start(t, fmt.Sprintf(`stack = ["in:NFLOG,i:IFINDEX,o:RECORD"]
[in]
group = `+
				`7
netlink_qthreshold = 1
network_namespace_path = %q
wait = %v
[o]
name = %q
keys = ["oob.out"]`,
				ns.Path(), wait, t.Name()))
			records := func(name string) {
				t.Helper()
				var got []string
				d.Eventually("a record", func() bool {
					send(t, ns)
					got = append(got, stacktest.Recorded(t.Name())...)
					return len(got) > 0
				})
				for _, r := range got {
					if r != "oob.out="+name {
						t.Errorf("got %q, want the name %s", got, name)
					}
				}
			}
			if wait {
				ns.Make(t)
				furnish(t, ns, "late", "10.9.0.2")
				records("late")
				return
			}
			records("first")
			for i, name := range []string{"second", "third"} {
				for range 20 {
					send(t, ns)
				}
				ns.Remove(t)
				if i == 0 { // else it is exchanged, maybe between two looks
					d.Eventually("it is seen to be gone", func() bool { return d.Count("in", "namespace_absent_seconds") > 0 })
				}
				ns.Make(t)
				furnish(t, ns, name, "10.9.0.3")
				d.Eventually("it is there again", func() bool {
					return strings.Count(d.Log.String(), "the network namespace is there again") == i+1
				})
				old := []string{"first", "second"}[i]
				for _, r := range stacktest.Recorded(t.Name()) {
					if r != "oob.out="+old {
						t.Errorf("a record of the old namespace: %s, want %s", r, old)
					}
				}
				records(name)
			}
		})
	}
}

// TestRoutesOfTheInputsNamespace: NFCT's connections take the routes of its namespace, and of the
// one that follows.
func TestRoutesOfTheInputsNamespace(t *testing.T) {
	nstest.Need(t, "root", "nf_conntrack", "nft", "veth", "tool:conntrack")
	ns := nstest.New(t)
	furnish(t, ns, "first", "10.9.0.2")
	d := stacktest.Start(t, fmt.Sprintf(`stack = ["in:NFCT,r:ROUTE,o:RECORD"]
[in]
event_mask = `+
		`4
network_namespace_path = %q
[o]
name = %q
keys = ["oob.ifindex_out", "route.nexthop"]`,
		ns.Path(), t.Name()))
	for i, router := range []string{"10.9.0.2", "10.9.0.3"} {
		if i > 0 {
			ns.Remove(t)
			d.Eventually("it is seen to be gone", func() bool { return d.Count("in", "namespace_absent_seconds") > 0 })
			ns.Make(t)
			furnish(t, ns, "second", router)
			d.Eventually("it is there again", func() bool { return d.Log.Has("the network namespace is there again") })
			stacktest.Recorded(t.Name()) // what lived in the old one
		}
		send(t, ns)
		d.Eventually("the connection is known", func() bool { return d.Count("in", "live") == 1 })
		ns.Run(t, "conntrack -F")
		var got []string
		d.Eventually("it has ended", func() bool {
			got = append(got, stacktest.Recorded(t.Name())...)
			return len(got) > 0
		})
		if want := "oob.ifindex_out=70 route.nexthop=" + router; got[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestCollectorsLearnTheNewInterfaces: what an exporter tells of interfaces is told of the namespace
// that its input is in.
func TestCollectorsLearnTheNewInterfaces(t *testing.T) {
	nstest.Need(t, "root", "nf_conntrack", "veth")
	ns := nstest.New(t)
	furnish(t, ns, "if-first", "10.9.0.2")
	collector, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	d := stacktest.Start(t, fmt.Sprintf(`stack = ["in:NFCT,o:IPFIX"]
[in]
network_namespace_path = %q
[o]
host = `+
		"\"127.0.0.1\"\nport = %d\nproto = \"udp\"\noptions_interval = 1",
		ns.Path(), collector.LocalAddr().(*net.UDPAddr).Port))
	told := func(name, not string) {
		t.Helper()
		d.Eventually("collectors are told "+name, func() bool {
			message := make([]byte, 1<<16)
			collector.SetReadDeadline(time.Now().Add(time.Second))
			n, _, err := collector.ReadFrom(message)
			return err == nil && bytes.Contains(message[:n], []byte(name)) && !bytes.Contains(message[:n], []byte(not))
		})
	}
	told("if-first", "if-second")
	ns.Remove(t)
	d.Eventually("it is seen to be gone", func() bool { return d.Count("in", "namespace_absent_seconds") > 0 })
	ns.Make(t)
	furnish(t, ns, "if-second", "10.9.0.3")
	told("if-second", "if-first")
}
