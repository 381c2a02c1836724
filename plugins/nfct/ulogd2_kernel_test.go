package nfct_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ulogd/engine/nstest"
	"ulogd/stacks/stacktest"
)

// TestEqualsULOGD2 shows the same connections to ulogd2 and to this daemon, in each mode. Times differ where ulogd2 takes its own clock.
func TestEqualsULOGD2(t *testing.T) {
	nstest.Need(t, "tool:ulogd")
	modes := []struct{ name, settings string }{
		{"hash", ""},
		{"stateless", "hash_enable = 0"},
		{"poll", "pollinterval = 1"},
	}
	ns := long(t)
	udpPing(t, ns, "127.0.0.1:0", 1, 1)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_tcp_timeout_time_wait", "100")
	ns.Sysctl(t, "net.netfilter.nf_conntrack_icmp_timeout", "100")
	dir := t.TempDir()
	const plugins = "/usr/lib/x86_64-linux-gnu/ulogd/"
	conf := "[global]\nlogfile=\"stdout\"\nplugin=\"" + plugins + "ulogd_inpflow_NFCT.so\"\nplugin=\"" + plugins + "ulogd_output_GPRINT.so\"\n"
	toml, sections := "[global]\nstack = [", ""
	for i, m := range modes {
		conf += fmt.Sprintf("stack=ct%d:NFCT,g%d:GPRINT\n", i, i)
		toml += fmt.Sprintf("\"ct%d:NFCT,r%d:RECORD\",", i, i)
		sections += fmt.Sprintf("[ct%d]\nnetwork_namespace_path = %q\n%s\n[r%d]\nname = \"ulogd2-%s\"\n", i, ns.Path(), m.settings, i, m.name)
	}
	for i, m := range modes {
		conf += fmt.Sprintf("[ct%d]\n%s\n[g%d]\nfile=\"%s/%s\"\nsync=1\n", i, strings.ReplaceAll(m.settings, " ", ""), i, dir, m.name)
	}
	os.WriteFile(dir+"/ulogd.conf", []byte(conf), 0o644)
	other := ns.Start(t, "ulogd -v -l 3 -c "+dir+"/ulogd.conf")
	other.WaitOutput("entering main loop", 10*time.Second)
	d := stacktest.Start(t, toml+"]\n"+sections)

	tcpEcho(t, ns, "127.0.0.1:0", 3000)
	udpPing(t, ns, "127.0.0.1:0", 100, 200)
	udpPing(t, ns, "127.0.0.1:0", 300, -1)
	ping(t, ns, "ip4:icmp", "127.0.0.1", 8)
	time.Sleep(2500 * time.Millisecond) // two polls
	ns.Run(t, "conntrack -F")

	for _, m := range modes {
		n := map[string]int{"hash": 5, "stateless": 8, "poll": 5}[m.name] // the connection before the start is in the tables
		ours := collect(t, d, "ulogd2-"+m.name, n-1)
		var theirs []string
		nstest.Eventually(t, 10*time.Second, func() error {
			b, _ := os.ReadFile(dir + "/" + m.name)
			theirs = strings.Split(strings.TrimSpace(strings.ReplaceAll(string(b), ",", " ")), "\n")
			if len(theirs) < n-1 {
				return fmt.Errorf("ulogd2 wrote %d lines in mode %s", len(theirs), m.name)
			}
			return nil
		})
		time.Sleep(200 * time.Millisecond)
		ours = append(ours, stacktest.Recorded("ulogd2-"+m.name)...)
		sameRecords(t, m.name, ours, theirs)
	}
}

// sameRecords compares by identifier and event.
func sameRecords(t testing.TB, mode string, ours, theirs []string) {
	t.Helper()
	index := func(lines []string) map[string]string {
		m := map[string]string{}
		for _, l := range lines {
			f := fields(l)
			m[f["ct.id"]+" "+f["ct.event"]] = l
		}
		return m
	}
	a, b := index(ours), index(theirs)
	for k, line := range b {
		got, want := fields(a[k]), fields(line)
		for name, v := range want {
			switch {
			case got[name] == v:
			case name == "flow.start.usec", name == "flow.end.usec": // ulogd2's own clock
			case name == "flow.start.sec" || name == "flow.end.sec":
				x, _ := strconv.Atoi(got[name])
				y, _ := strconv.Atoi(v)
				if x-y > 1 || y-x > 1 {
					t.Errorf("%s: %s=%s, ulogd2 has %s in %q", mode, name, got[name], v, line)
				}
			default:
				t.Errorf("%s: %s=%s, ulogd2 has %s in %q", mode, name, got[name], v, line)
			}
		}
		// Keys come in the same order.
		if order(a[k], want) != order(line, want) {
			t.Errorf("%s: order\n%s, ulogd2 has\n%s", mode, a[k], line)
		}
	}
	for k, line := range a {
		if b[k] == "" {
			t.Errorf("%s: ulogd2 has no record like %q", mode, line)
		}
	}
}

// order lists the keys of a line that are in the other.
func order(line string, in map[string]string) string {
	var names []string
	for _, f := range strings.Fields(line) {
		if name, _, _ := strings.Cut(f, "="); in[name] != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}
