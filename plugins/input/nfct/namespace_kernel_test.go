package nfct_test

import (
	"strings"
	"testing"

	"ulogd/engine"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// alive makes connections of a namespace countable, and last through the test.
func alive(t testing.TB, ns *nstest.NS) {
	nstest.EnableConntrack(t, ns)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_udp_timeout", "100")
}

// TestNamespaceReturns: the namespace is deleted and made again under its name. What lived in it is
// reported, and the other one is read, also when it is polled or the daemon lives without memory.
func TestNamespaceReturns(t *testing.T) {
	nstest.Need(t, "nf_conntrack", "tool:conntrack")
	for name, c := range map[string]struct {
		settings string
		reported bool // what lived
	}{
		"events":    {"", true},
		"polls":     {"pollinterval = \"200ms\"", true},
		"stateless": {"hash_enable = false", false},
		"reliable":  {"reliable = true", true},
	} {
		t.Run(name, func(t *testing.T) {
			ns := nstest.New(t)
			alive(t, ns)
			d := start(t, ns, t.Name(), c.settings+"\nevent_mask = 4", "extra_keys = true")
			udpPing(t, ns, "127.0.0.1:0", 100, 200)
			if c.reported {
				d.Eventually("it is known", func() bool { return d.Count("ct1", "live") == 1 })
			}
			d.Machine.Signal(engine.Dump) // one reader of each namespace's counters
			stacktest.Recorded(t.Name())
			ns.Remove(t)
			d.Eventually(
				"it is seen to be gone, and the time is counted",
				func() bool { return d.Count("ct1", "namespace_absent_seconds") > 0 },
			)
			d.Machine.Signal(engine.Dump)
			ended := 0
			for _, line := range stacktest.Recorded(t.Name()) {
				if m := fields(line); m["flow.end.reason"] == "4" && m["flow.end.sec"] != "" {
					ended++
				}
			}
			if ended != 1 && c.reported || ended != 0 && !c.reported {
				t.Errorf("%d connections ended with their namespace", ended)
			}
			ns.Make(t)
			alive(t, ns)
			d.Eventually(
				"the other one is read",
				func() bool { return d.Log.Has("the network namespace is there again") },
			)
			udpPing(t, ns, "127.0.0.1:0", 300, 300)
			if c.reported {
				d.Eventually("its connection is known", func() bool { return d.Count("ct1", "live") == 1 })
			}
			ns.Run(t, "conntrack -F")
			if line := collect(t, d, t.Name(), 1)[0]; octets(line) != 328 || fields(line)["ct.event"] != "4" {
				t.Errorf("record %q", line)
			}
			if log := d.Log.String(); !strings.Contains(log, "the network namespace has gone away") ||
				!strings.Contains(log, ns.Path()) {
				t.Errorf("the log does not say so:\n%s", log)
			}
			d.Stop()
			if s := d.Stats("ct1"); s.Lost != 0 {
				t.Errorf("%d count as lost", s.Lost)
			}
		})
	}
}

// TestMissingNamespace at the start is waited for where that is asked.
func TestMissingNamespace(t *testing.T) {
	nstest.Need(t, "nf_conntrack", "tool:conntrack")
	ns := nstest.New(t)
	ns.Remove(t)
	d := start(t, ns, t.Name(), "wait = true\nevent_mask = 4", "")
	ns.Make(t)
	alive(t, ns)
	d.Eventually("it is read", func() bool { return d.Log.Has("listening to conntrack events") })
	udpPing(t, ns, "127.0.0.1:0", 100, 200)
	d.Eventually("its connection is known", func() bool { return d.Count("ct1", "live") == 1 })
	ns.Run(t, "conntrack -F")
	if line := collect(t, d, t.Name(), 1)[0]; octets(line) != 128 {
		t.Errorf("record %q", line)
	}
}
