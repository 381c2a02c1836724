package nfct_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ti-mo/conntrack"

	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// entry is a connection made by hand: protocol, source and destination, mark, zone. Ports are 1000
// and 2000.
type entry struct {
	proto    uint8
	src, dst string
	mark     uint32
	zone     uint16
}

// make enters connections into the table of ns.
func enter(t testing.TB, ns *nstest.NS, list ...entry) {
	t.Helper()
	ns.Do(t, func() {
		c, err := conntrack.Dial(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, e := range list {
			f := conntrack.NewFlow(e.proto, conntrack.StatusConfirmed|conntrack.StatusAssured|conntrack.StatusSeenReply,
				netip.MustParseAddr(e.src), netip.MustParseAddr(e.dst), 1000, 2000, 300, e.mark)
			f.Zone = e.zone
			if e.proto == 6 {
				f.ProtoInfo.TCP = &conntrack.ProtoInfoTCP{State: 3}
			}
			if err := c.Create(f); err != nil {
				t.Fatalf("create %+v: %v", e, err)
			}
		}
	})
}

var mixed = []entry{
	{6, "192.0.2.1", "198.51.100.1", 0, 0},
	{17, "192.0.2.1", "198.51.100.1", 0x10, 0},
	{6, "192.0.3.1", "198.51.100.2", 0x1, 0},
	{17, "2001:db8::1", "2001:db8:1::1", 0, 0},
	{6, "2001:db8:0:1::1", "2001:db8:2::1", 0x11, 0},
	{6, "203.0.113.1", "198.51.100.1", 0, 9},
}

func TestFiltersOfTheKernel(t *testing.T) {
	for i, c := range []struct {
		settings string
		want     string // indices into mixed
		here     bool   // the daemon has to filter itself
	}{
		{"", "012345", false},
		{`accept_proto_filter = ["tcp", "sctp"]`, "0245", false},
		{`accept_src_filter = ["192.0.2.0/24", "2001:db8::/64"]`, "013", false},
		{`accept_dst_filter = ["198.51.100.1"]`, "015", true}, // IPv6 is left out for its family, and counted
		{`accept_src_filter = ["::/0"]`, "34", false},
		{`accept_src_filter = ["0.0.0.0/0"]`, "0125", false},
		{"accept_proto_filter = \"tcp\"\naccept_src_filter = [\"192.0.0.0/16\", \"2001:db8:0:1::/64\"]\naccept_dst_filter = [\"2001:db8:2::1\", \"198.51.100.2/31\"]", "24", false},
		{"hash_enable = false\naccept_mark_filter = [\"0x10/0x10\"]", "14", false},
		{`accept_mark_filter = ["0x10/0x10"]`, "14", true},
		{`accept_zone_filter = "9"`, "5", true},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			ns := tracked(t)
			d := start(
				t,
				ns,
				t.Name(),
				"event_mask = 4\n"+c.settings,
				"keys = [\"orig.ip.protocol\", \"orig.ip.saddr\", \"ct.mark\", \"ct.zone\"]",
			)
			enter(t, ns, mixed...)
			ns.Run(t, "conntrack -F")
			got := ""
			for _, line := range collect(t, d, t.Name(), len(c.want)) {
				for i, e := range mixed {
					if line == fmt.Sprintf(
						"orig.ip.protocol=%d orig.ip.saddr=%s ct.mark=%d ct.zone=%d",
						e.proto,
						e.src,
						e.mark,
						e.zone,
					) {
						got += fmt.Sprint(i)
					}
				}
			}
			if sorted(got) != c.want {
				t.Errorf("%s: got %q, want %q", c.settings, got, c.want)
			}
			d.Stop()
			if f := d.Stats("ct1").Filtered; f > 0 != c.here {
				t.Errorf("%s: %d events reached the daemon in vain", c.settings, f)
			}
		})
	}
}

func sorted(s string) string {
	l := strings.Split(s, "")
	for i := range l {
		for j := i; j > 0 && l[j] < l[j-1]; j-- {
			l[j], l[j-1] = l[j-1], l[j]
		}
	}
	return strings.Join(l, "")
}

// TestEachEvent listens to all events without memory.
func TestEachEvent(t *testing.T) {
	ns := tracked(t)
	udpPing(t, ns, "127.0.0.1:0", 1, 1)
	events := ns.Start(t, "conntrack -E -e ALL -p tcp -o id,timestamp")
	events.WaitSubscribed(time.Minute)
	d := start(
		t,
		ns,
		t.Name(),
		"hash_enable = false\nevent_mask = 7\naccept_proto_filter = \"tcp\"",
		"extra_keys = true",
	)
	before := time.Now().Unix()
	tcpEcho(t, ns, "127.0.0.1:0", 100)
	lines(t, ns, events, "[DESTROY]", 1)
	theirs := strings.Split(strings.TrimSpace(events.Output()), "\n")
	n := 0
	kinds := map[string]string{"[NEW]": "1", "[UPDATE]": "2", "[DESTROY]": "4"}
	ours := collect(t, d, t.Name(), len(theirs))
	for _, line := range theirs {
		for kind, event := range kinds {
			if !strings.Contains(line, kind) {
				continue
			}
			m := fields(ours[n])
			if m["ct.event"] != event {
				t.Errorf("record %d %q, conntrack says %q", n, ours[n], line)
			}
			if start := m["flow.start.sec"]; event == "1" &&
				(start < fmt.Sprint(before) || start > fmt.Sprint(time.Now().Unix())) {
				t.Errorf("a beginning at %s, before %d", start, before)
			}
			if _, told := m["flow.end.sec"]; told != (event != "1") {
				t.Errorf("end of %q", ours[n])
			}
			if at := m["flow.end.sec"]; event == "2" &&
				(at < fmt.Sprint(before) || at > fmt.Sprint(time.Now().Unix()) ||
					m["flow.end.usec"] == "" || m["flow.end.reason"] != "") {
				t.Errorf("a change at %s, before %d: %q", at, before, ours[n])
			}
			if event == "4" && (m["flow.end.reason"] != "3" || m["ct.tcp.state"] != "7") {
				t.Errorf("end of %q", ours[n])
			}
			n++
		}
	}
	if n < 3 || n != len(ours) {
		t.Errorf("%d records for %d events", len(ours), n)
	}
}

func TestOverrunsAreCountedExactly(t *testing.T) {
	const n = 20000
	ns := tracked(t)
	d := stacktest.Start(t, fmt.Sprintf(`
[global]
stack = "ct1:NFCT,out1:RECORD"
[ct1]
network_namespace_path = %q
netlink_socket_buffer_size = 20000
event_mask = 4
[out1]
name = %q
delay = 0.002
`, ns.Path(), t.Name()))
	nstest.FillConntrack(t, ns, n)
	ns.Run(t, "conntrack -F")
	d.Eventually("all events read or lost", func() bool {
		s := d.Stats("ct1")
		return s.Made+s.Lost == n
	})
	d.Stop()
	if d.Stats("ct1").Lost == 0 {
		t.Fatal("the storm lost nothing: the test shows nothing")
	}
	if !d.Log.Has("events are being lost") || !d.Log.Has("netlink_socket_buffer_maxsize") {
		t.Errorf("no word about the loss\n%s", d.Log)
	}
	stacktest.Recorded(t.Name())
}

func TestStopDrains(t *testing.T) {
	const n = 5000
	ns := tracked(t)
	d := start(t, ns, t.Name(), "event_mask = 4", "delay = 0.001")
	nstest.FillConntrack(t, ns, n)
	ns.Run(t, "conntrack -F")
	d.Stop()
	if got := len(stacktest.Recorded(t.Name())); got != n {
		t.Errorf("%d of %d records", got, n)
	}
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	nstest.Need(t, "nf_conntrack")
	ns := nstest.New(t)
	for _, s := range []string{"acct", "timestamp", "events"} {
		ns.Sysctl(t, "net.netfilter.nf_conntrack_"+s, "0")
	}
	d := start(t, ns, t.Name(), "", "")
	for _, want := range []string{
		"nf_conntrack_acct is 0", "sysctl -w net.netfilter.nf_conntrack_acct=1", "nf_conntrack_timestamp is 0", "nf_conntrack_events is 0",
		"nothing is tracked here", "receive_buffer",
	} {
		if !d.Log.Has(want) {
			t.Errorf("no %q in the log:\n%s", want, d.Log)
		}
	}
	d.Stop()
	d = start(t, ns, t.Name(), "fix_sysctl = true", "")
	for _, s := range []string{"acct", "timestamp", "events"} {
		if got := strings.TrimSpace(ns.Run(t, "cat /proc/sys/net/netfilter/nf_conntrack_"+s)); got != "1" {
			t.Errorf("nf_conntrack_%s is %s", s, got)
		}
	}
	d.Stop()
	nstest.EnableConntrack(t, ns)
	if d = start(t, ns, t.Name(), "", ""); d.Log.Has("WARN") {
		t.Errorf("a warning about a healthy namespace:\n%s", d.Log)
	}
}

// TestProbeLeavesNothing: an empty table is tried at start, with a connection that nobody may see.
func TestProbeLeavesNothing(t *testing.T) {
	ns := tracked(t)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_events", "1")
	d := start(t, ns, t.Name(), "", "")
	if left := ns.Run(t, "conntrack -L"); left != "" {
		t.Errorf("the kernel knows %q", left)
	}
	d.Stop()
	if s := d.Stats("ct1"); s.Made != 0 || d.Log.Has("WARN") {
		t.Errorf("%d records\n%s", s.Made, d.Log)
	}
}
