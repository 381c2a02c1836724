package nfct_test

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// conversation is a UDP connection that lives as long as the test wants.
type conversation struct{ a, b *net.UDPConn }

func converse(t testing.TB, ns *nstest.NS) *conversation {
	t.Helper()
	c := &conversation{}
	ns.Do(t, func() {
		var err error
		if c.b, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.Fatal(err)
		}
		if c.a, err = net.DialUDP("udp4", nil, c.b.LocalAddr().(*net.UDPAddr)); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { c.a.Close(); c.b.Close() })
	return c
}

// say sends a datagram of n octets each way; with headers that counts n+28.
func (c *conversation) say(t testing.TB, n int) {
	t.Helper()
	buf := make([]byte, 65536)
	c.a.Write(make([]byte, n))
	_, from, err := c.b.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	c.b.WriteTo(make([]byte, n), from)
	if _, err := c.a.Read(buf); err != nil {
		t.Fatal(err)
	}
}

// octets returns what a record counts in the original direction.
func octets(line string) int {
	n, _ := strconv.Atoi(fields(line)["orig.raw.pktlen"])
	return n
}

// long makes connections live through the test.
func long(t testing.TB) *nstest.NS {
	ns := tracked(t)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_udp_timeout", "100")
	ns.Sysctl(t, "net.netfilter.nf_conntrack_udp_timeout_stream", "100")
	return ns
}

// TestOlderConnections: what began before the daemon ends with its start, and without an event its
// end is found by a dump.
func TestOlderConnections(t *testing.T) {
	ns := long(t)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_events", "0") // the kernel is silent about connections that begin now
	c := converse(t, ns)
	c.say(t, 100)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_events", "2")
	before := time.Now().Unix()
	d := start(t, ns, t.Name(), "netlink_resync_timeout = 1", "extra_keys = true")
	d.Eventually("the connection to be known", func() bool { return d.Count("ct1", "live") == 1 })
	ns.Run(t, "conntrack -F")
	line := collect(t, d, t.Name(), 1)[0]
	m := fields(line)
	if m["orig.raw.pktlen"] != "128" || m["ct.recovered"] != "1" || m["flow.end.reason"] != "5" ||
		m["ct.event"] != "4" {
		t.Errorf("record %q", line)
	}
	if start, _ := strconv.ParseInt(m["flow.start.sec"], 10, 64); start > before || start < before-5 {
		t.Errorf("start %d, it began before %d", start, before)
	}
}

func TestPolling(t *testing.T) {
	ns := long(t)
	c := converse(t, ns)
	c.say(t, 100)
	d := start(t, ns, t.Name(), "pollinterval = \"200ms\"\naccept_proto_filter = \"udp\"", "extra_keys = true")
	d.Eventually("the connection to be known", func() bool { return d.Count("ct1", "live") == 1 })
	tcpEcho(t, ns, "127.0.0.1:0", 10) // left out
	c.say(t, 900)
	time.Sleep(2 * time.Second) // some polls
	ns.Run(t, "conntrack -F")
	line := collect(t, d, t.Name(), 1)[0]
	if m := fields(line); octets(line) != 128+928 || m["ct.event"] != "4" || m["flow.end.reason"] != "1" ||
		m["ct.recovered"] != "" ||
		m["flow.end.sec"] == "" {
		t.Errorf("record %q", line)
	}
	d.Stop()
	if more := stacktest.Recorded(t.Name()); len(more) != 0 {
		t.Errorf("more records: %q", more)
	}
}

// TestInterimReports: deltas add up to the whole, totals grow.
func TestInterimReports(t *testing.T) {
	for _, how := range []string{"delta", "total"} {
		t.Run(how, func(t *testing.T) {
			ns := long(t)
			d := start(t, ns, t.Name(), "active_timeout = \"300ms\"\ncounters = \""+how+"\"", "extra_keys = true")
			c := converse(t, ns)
			c.say(t, 100)
			lines := collect(t, d, t.Name(), 1)
			c.say(t, 900)
			lines = append(lines, collect(t, d, t.Name(), 2)...)
			c.say(t, 5)
			ns.Run(t, "conntrack -D -p udp")
			d.Eventually("the end", func() bool {
				lines = append(lines, stacktest.Recorded(t.Name())...)
				return fields(lines[len(lines)-1])["ct.event"] == "4"
			})
			sum, largest := 0, 0
			for i, line := range lines {
				m := fields(line)
				if last := i == len(lines)-1; !last &&
					(m["ct.event"] != "2" || m["flow.end.reason"] != "2" || m["flow.end.sec"] == "") {
					t.Errorf("record %q", line)
				}
				sum += octets(line)
				if octets(line) < largest && how == "total" {
					t.Errorf("totals shrink: %q", lines)
				}
				largest = max(largest, octets(line))
			}
			const whole = 128 + 928 + 33
			if how == "delta" && sum != whole || how == "total" && octets(lines[len(lines)-1]) != whole {
				t.Errorf("sum %d, want %d: %q", sum, whole, lines)
			}
		})
	}
}

func TestExportOnExit(t *testing.T) {
	for _, settings := range []string{"", "hash_enable = false"} {
		ns := long(t)
		d := start(t, ns, t.Name(), "export_on_exit = true\n"+settings, "extra_keys = true")
		c := converse(t, ns)
		c.say(t, 100)
		d.Eventually("it is seen", func() bool { return settings != "" || d.Count("ct1", "live") == 1 })
		d.Stop()
		var got []string
		for _, line := range stacktest.Recorded(t.Name()) {
			if fields(line)["ct.event"] == "2" {
				got = append(got, line)
			}
		}
		if len(got) != 1 || octets(got[0]) != 128 || fields(got[0])["flow.end.reason"] != "4" {
			t.Errorf("%s: records %q", settings, got)
		}
	}
}

// TestCountersAreTakenOnce: SIGUSR2 zeroes the kernel's counters; every stack of every instance
// gets them, with the time of the last packet.
func TestCountersAreTakenOnce(t *testing.T) {
	ns := long(t)
	d := stacktest.Start(t, fmt.Sprintf(`
[global]
stack = ["ct1:NFCT,a:RECORD", "ct1:NFCT,b:RECORD", "ct2:NFCT,c:RECORD", "ct3:NFCT,d:RECORD"]
[ct1]
network_namespace_path = %[1]q
[ct2]
network_namespace_path = %[1]q
accept_proto_filter = "udp"
[ct3]
network_namespace_path = %[1]q
hash_enable = false
event_mask = 4
[a]
name = "usr2-a"
[b]
name = "usr2-b"
[c]
name = "usr2-c"
[d]
name = "usr2-d"
`, ns.Path()))
	c := converse(t, ns)
	c.say(t, 100)
	d.Eventually("it is remembered", func() bool { return d.Count("ct1", "live") == 1 && d.Count("ct2", "live") == 1 })
	stacks := []string{"usr2-a", "usr2-b", "usr2-c", "usr2-d"}
	check := func(event string, want ...int) {
		t.Helper()
		for i, s := range stacks {
			line := collect(t, d, s, 1)[0]
			if got := octets(line); got != want[i] || fields(line)["ct.event"] != event ||
				fields(line)["flow.end.sec"] == "" {
				t.Errorf("%s: %d octets, want %d, in %q", s, got, want[i], line)
			}
		}
	}
	d.Machine.Signal(engine.Dump)
	check("2", 128, 128, 128, 128)
	c.say(t, 200)
	d.Machine.Signal(engine.Dump)
	check("2", 228, 228, 228, 228)
	if list := ns.Run(t, "conntrack -L"); !strings.Contains(list, "bytes=0") {
		t.Errorf("the kernel's counters are not zeroed: %s", list)
	}
	c.say(t, 1)
	ns.Run(t, "conntrack -D -p udp")
	check("4", 29, 29, 29, 29) // each record has what came since the one before
}

// TestDuplicatesAreRemoved: another listener asks for reliable events and stops reading, so the
// kernel tells every end again and again.
func TestDuplicatesAreRemoved(t *testing.T) {
	nstest.Need(t, "tool:ulogd")
	const n = 3000
	ns := tracked(t)
	dir := t.TempDir()
	conf := dir + "/ulogd.conf"
	const plugins = "/usr/lib/x86_64-linux-gnu/ulogd/"
	os.WriteFile(
		conf,
		[]byte(
			"[global]\nlogfile=\"stdout\"\nplugin=\""+plugins+"ulogd_inpflow_NFCT.so\"\nplugin=\""+plugins+"ulogd_output_GPRINT.so\"\n"+
				`stack=ct1:NFCT,g:GPRINT
[ct1]
reliable=1
hash_enable=0
event_mask=4
netlink_socket_buffer_size=4096
[g]
file="`+dir+"/g\"\n",
		),
		0o644,
	)
	other := ns.Start(t, "ulogd -c "+conf)
	other.WaitSubscribed(time.Minute)
	d := start(t, ns, t.Name(), "", "keys = [\"orig.ip.saddr\"]")
	nstest.FillConntrack(t, ns, n)
	d.Eventually("all are remembered", func() bool { return d.Count("ct1", "live") == n })
	other.Signal(syscall.SIGSTOP)
	ns.Run(t, "conntrack -F")
	d.Eventually(
		"ends are told again",
		func() bool { return d.Count("ct1", "duplicates") > 0 && d.Stats("ct1").Out >= n },
	)
	other.Signal(syscall.SIGCONT)
	d.Stop()
	got := stacktest.Recorded(t.Name())
	slices.Sort(got)
	if len(got) != n || len(slices.Compact(got)) != n {
		t.Errorf("%d records, %d different, of %d connections\n%s", len(got), len(slices.Compact(got)), n, d.Sums())
	}
}

// TestZonesLabelsAndHelpers sets what nft can, and reads it back from the ends.
func TestZonesLabelsAndHelpers(t *testing.T) {
	ns := long(t)
	names := t.TempDir() + "/connlabel.conf"
	os.WriteFile(names, []byte("3 seen\n"), 0o644)
	ns.Nft(t, `table inet extra {
	ct helper tftp69 { type "tftp" protocol udp; }
	chain pre { type filter hook prerouting priority -300; udp dport 7777 ct zone set 5; udp dport 7778 ct original zone set 6; }
	chain out { type filter hook output priority -300; udp dport 7777 ct zone set 5; udp dport 7778 ct original zone set 6; }
	chain marks { type filter hook output priority 0; udp dport 7777 ct mark set 0x77 ct label set 3; udp dport 69 ct helper set "tftp69"; }
}`)
	d := start(t, ns, t.Name(), fmt.Sprintf("connlabel_conf = %q\nevent_mask = 7", names), "extra_keys = true")
	ns.Do(t, func() {
		for _, port := range []int{7777, 7778, 69} {
			c, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
			if err != nil {
				t.Fatal(err)
			}
			c.Write([]byte{1})
			c.Close()
		}
	})
	d.Eventually("all are remembered", func() bool { return d.Count("ct1", "live") == 3 })
	list := ns.Run(t, "conntrack -L -o labels")
	ns.Run(t, "conntrack -F")
	byPort := map[string]map[string]string{}
	for _, line := range collect(t, d, t.Name(), 3) {
		m := fields(line)
		byPort[m["orig.l4.dport"]] = m
	}
	if m := byPort["7777"]; m["ct.zone"] != "5" || m["ct.mark"] != "119" || m["ct.labels.str"] != "seen" ||
		!strings.HasPrefix(m["ct.labels"], "08") {
		t.Errorf("record %v\n%s", m, list)
	}
	if m := byPort["7778"]; m["ct.zone.orig"] != "6" || m["ct.zone.reply"] != "0" {
		t.Errorf("record %v\n%s", m, list)
	}
	if m := byPort["69"]; m["ct.helper"] != "tftp" || m["ct.labels"] != "" {
		t.Errorf("record %v\n%s", m, list)
	}
}

func TestTwoNamespaces(t *testing.T) {
	one, two := long(t), long(t)
	d := stacktest.Start(t, fmt.Sprintf(`
[global]
stack = ["ct1:NFCT,a:RECORD", "ct2:NFCT,b:RECORD"]
[ct1]
network_namespace_path = %q
[ct2]
network_namespace_path = %q
[a]
name = "two-a"
[b]
name = "two-b"
`, one.Path(), two.Path()))
	udpPing(t, one, "127.0.0.1:0", 10, 10)
	udpPing(t, two, "127.0.0.1:0", 20, 20)
	one.Run(t, "conntrack -F")
	two.Run(t, "conntrack -F")
	if a, b := collect(t, d, "two-a", 1), collect(t, d, "two-b", 1); octets(a[0]) != 38 || octets(b[0]) != 48 {
		t.Errorf("records %q and %q", a, b)
	}
}
