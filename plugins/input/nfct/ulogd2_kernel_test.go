package nfct_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "ulogd/plugins/output/gprint"
	_ "ulogd/plugins/output/oprint"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// mode is one way to read connections, and how many records the traffic below makes in it.
type mode struct {
	name, settings string
	records        int
}

var modes = []mode{
	{"hash", "", 9},
	{"stateless", "hash_enable=0", 17}, // the connection before the start has an end only
	{"poll", "pollinterval=1", 9},
}

// differences are the rows of docs/from-ulogd2.md that show here: keys that ulogd2 does not have.
var differences = []struct{ title, mode, key string }{
	{"NFCT's polls give no time of the end", "poll", `flow\.end\.u?sec`},
}

// TestEqualsULOGD2 shows the same connections to ulogd2 and to this daemon, in each mode, and
// compares what GPRINT and OPRINT write of them. Both give addresses as ulogd2 2.0.8 does (compat).
// Times differ where ulogd2 takes its own clock.
func TestEqualsULOGD2(t *testing.T) {
	nstest.Need(t, "tool:ulogd")
	ns := long(t)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_events", "1") // also of what began before anybody listened
	udpPing(t, ns, "127.0.0.1:0", 1, 1)
	for _, s := range []string{"tcp_timeout_time_wait", "tcp_timeout_close", "icmp_timeout", "icmpv6_timeout"} {
		ns.Sysctl(t, "net.netfilter.nf_conntrack_"+s, "100")
	}
	ns.Nft(
		t,
		"table inet nat { chain o { type nat hook output priority -100; tcp dport 8080 dnat ip to 127.0.0.1:8081; }; }",
	)
	theirs, ours := t.TempDir(), t.TempDir()
	plugins, _ := filepath.Glob("/usr/lib/*/ulogd")
	load := ""
	for _, p := range []string{"inpflow_NFCT", "output_GPRINT", "output_OPRINT"} {
		load += fmt.Sprintf("plugin=%q\n", plugins[0]+"/ulogd_"+p+".so")
	}
	os.WriteFile(theirs+"/ulogd.conf", []byte(inEachMode(theirs, "logfile=\"stdout\"\n"+load, "")), 0o644)
	other := ns.Start(t, "ulogd -v -l 3 -c "+theirs+"/ulogd.conf")
	other.WaitOutput("entering main loop", time.Minute)
	d := stacktest.StartConf(t, inEachMode(ours, "compat=ulogd2\n", "network_namespace_path="+ns.Path()))

	tcpEcho(t, ns, "127.0.0.1:0", 3000)
	tcpEcho(t, ns, "[::1]:0", 4000)
	udpPing(t, ns, "127.0.0.1:0", 100, 200)
	udpPing(t, ns, "127.0.0.1:0", 300, -1)
	udpPing(t, ns, "[::1]:0", 400, 500)
	ping(t, ns, "ip4:icmp", "127.0.0.1", 8)
	ping(t, ns, "ip6:ipv6-icmp", "::1", 128)
	translated(t, ns)
	time.Sleep(4 * time.Second) // some polls
	ns.Run(t, "conntrack -F")
	for _, m := range modes {
		for _, o := range []string{"GPRINT", "OPRINT"} {
			name := m.name + "-" + o
			a, b := written(t, ours, name, m.records), written(t, theirs, name, m.records)
			sameRecords(t, m.name, name, a, b)
		}
	}
	d.Stop()
}

// inEachMode is a configuration with a stack for each mode and output, which writes the file
// MODE-OUTPUT.
func inEachMode(dir, global, input string) string {
	sections := ""
	for _, m := range modes {
		for _, o := range []string{"GPRINT", "OPRINT"} {
			id := m.name + "-" + o
			global += fmt.Sprintf("stack=ct-%[1]s:NFCT,%[1]s:%[2]s\n", id, o)
			sections += fmt.Sprintf(
				"[ct-%[1]s]\n%[2]s\n%[3]s\n[%[1]s]\nfile=%[4]s/%[1]s\nsync=1\n",
				id,
				m.settings,
				input,
				dir,
			)
		}
	}
	return "[global]\n" + global + sections
}

// written waits for n records of an output's file and returns them as lines of NAME=VALUE.
func written(t testing.TB, dir, name string, n int) (records []string) {
	t.Helper()
	nstest.Eventually(t, 15*time.Second, func() error {
		b, _ := os.ReadFile(dir + "/" + name)
		text := string(b)
		if strings.HasSuffix(name, "OPRINT") {
			text = strings.ReplaceAll(strings.ReplaceAll(text, "\n", " "), "===>PACKET BOUNDARY ", "\n")
		}
		records = strings.Split(strings.TrimSpace(strings.ReplaceAll(text, ",", " ")), "\n")
		if len(records) < n {
			return fmt.Errorf("%s: %d of %d records: %q", dir+"/"+name, len(records), n, records)
		}
		return nil
	})
	return records
}

// sameRecords compares by identifier and event.
func sameRecords(t testing.TB, mode, name string, ours, theirs []string) {
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
		if a[k] == "" {
			t.Errorf("%s: only ulogd2 has %q", name, line)
			continue
		}
		got, want := comparable(t, mode, a[k]), comparable(t, mode, line)
		if got != want {
			t.Errorf("%s:\nthis daemon %s\nulogd2      %s", name, got, want)
		}
		x, y := fields(a[k]), fields(line)
		for _, key := range []string{"flow.start.sec", "flow.end.sec"} {
			mine, _ := strconv.Atoi(x[key])
			other, err := strconv.Atoi(y[key])
			if err == nil && (mine-other > 1 || other-mine > 1) {
				t.Errorf("%s: %s=%d, ulogd2 has %d", name, key, mine, other)
			}
		}
	}
	for k, line := range a {
		if b[k] == "" {
			t.Errorf("%s: only this daemon has %q", name, line)
		}
	}
}

// comparable leaves out the values of times, and what docs/from-ulogd2.md says that ulogd2 does not
// have.
func comparable(t testing.TB, mode, line string) string {
	t.Helper()
	var keep []string
next:
	for _, f := range strings.Fields(line) {
		key, _, _ := strings.Cut(f, "=")
		for _, d := range differences {
			if (d.mode == "" || d.mode == mode) && regexp.MustCompile("^"+d.key+"$").MatchString(key) {
				continue next
			}
		}
		if strings.HasPrefix(key, "flow.") {
			f = key
		}
		keep = append(keep, f)
	}
	return strings.Join(keep, " ")
}

// TestDifferencesAreInTheTable wants every difference in the table that people read.
func TestDifferencesAreInTheTable(t *testing.T) {
	text, err := os.ReadFile("../../../docs/from-ulogd2.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		if !strings.Contains(string(text), "\n| "+d.title+" |") {
			t.Errorf("docs/from-ulogd2.md has no row %q", d.title)
		}
	}
}
