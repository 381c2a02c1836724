package nfacct_test

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/engine"
	_ "ulogd/plugins/input/nfacct"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// counted makes a namespace in which datagrams to port 1001 count as "one", to 1002 as "two", and
// nothing as "none".
func counted(t testing.TB) *nstest.NS {
	t.Helper()
	nstest.Need(t, "root", "tool:nfacct", "tool:iptables")
	ns := nstest.New(t)
	count(t, ns)
	return ns
}

func count(t testing.TB, ns *nstest.NS) {
	t.Helper()
	for i, name := range []string{"one", "two", "none"} {
		ns.Run(t, "nfacct add "+name)
		ns.Run(t, fmt.Sprintf("iptables -A INPUT -p udp --dport %d -m nfacct --nfacct-name %s", 1001+i, name))
	}
}

// send sends n datagrams of 72 octets, 100 with their headers.
func send(t testing.TB, ns *nstest.NS, port, n int) {
	t.Helper()
	ns.Do(t, func() {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range n {
			c.WriteTo(make([]byte, 72), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		}
	})
}

func start(t testing.TB, ns *nstest.NS, settings string) *stacktest.Daemon {
	t.Helper()
	return stacktest.Start(t, fmt.Sprintf(`[global]
stack = "acct1:NFACCT,out:RECORD"
[acct1]
network_namespace_path = %q
%s
[out]
name = %q
extra_keys = true
`,
		ns.Path(), settings, t.Name()))
}

// poll takes the records of one poll.
func poll(t testing.TB, d *stacktest.Daemon, n int) (lines []string) {
	t.Helper()
	d.Eventually("a poll", func() bool {
		lines = append(lines, stacktest.Recorded(t.Name())...)
		return len(lines) >= n
	})
	return lines
}

func TestCountersEqualNfacct(t *testing.T) {
	ns := counted(t)
	ns.Run(t, "nfacct add quota packet 3")
	ns.Run(t, "iptables -A INPUT -p udp --dport 1001 -m nfacct --nfacct-name quota")
	d := start(t, ns, "pollinterval = 3600\nzerocounter = false")
	send(t, ns, 1001, 5)
	send(t, ns, 1002, 2)
	d.Machine.Signal(engine.Dump)
	ours := poll(t, d, 4)
	theirs := ns.Run(t, "nfacct list")
	each := regexp.MustCompile(`pkts = 0*(\d+), bytes = 0*(\d+)(.*)\} = (\w+);`)
	for i, c := range each.FindAllStringSubmatch(theirs, -1) {
		want := fmt.Sprintf("sum.name=%s sum.pkts=%s sum.bytes=%s", c[4], c[1], c[2])
		if c[4] == "quota" {
			want += " sum.quota=3 sum.flags=5" // in packets, used up
		}
		if i >= len(ours) || ours[i] != want {
			t.Errorf("record %d of %q, want %q", i, ours, want)
		}
	}
	if !strings.Contains(ours[0], "sum.name=one sum.pkts=5 sum.bytes=500") {
		t.Errorf("records %q", ours)
	}
}

func TestZeroingAndTime(t *testing.T) {
	ns := counted(t)
	before := time.Now().Unix()
	d := start(t, ns, "pollinterval = 3600\ntimestamp = true")
	for _, n := range []int{3, 0, 7} {
		send(t, ns, 1001, n)
		d.Machine.Signal(engine.Dump)
		lines := poll(t, d, 3)
		if want := fmt.Sprintf("sum.name=one sum.pkts=%d sum.bytes=%d oob.time.sec=", n, 100*n); !strings.HasPrefix(lines[0], want) {
			t.Errorf("record %q, want %q", lines[0], want)
		}
		var sec, usec int64
		fmt.Sscanf(lines[2], "sum.name=none sum.pkts=0 sum.bytes=0 oob.time.sec=%d oob.time.usec=%d", &sec, &usec)
		if sec < before || sec > time.Now().Unix() {
			t.Errorf("record %q at %d", lines[2], time.Now().Unix())
		}
	}
}

func TestPollsAtIntervals(t *testing.T) {
	ns := counted(t)
	d := start(t, ns, "pollinterval = \"50ms\"")
	send(t, ns, 1002, 9)
	sum, polls := 0, 0
	d.Eventually("five polls", func() bool {
		for _, line := range stacktest.Recorded(t.Name()) {
			var n int
			if _, err := fmt.Sscanf(line, "sum.name=two sum.pkts=%d", &n); err == nil {
				sum += n
				polls++
			}
		}
		return polls >= 5
	})
	if sum != 9 {
		t.Errorf("%d counted over %d polls, want 9", sum, polls)
	}
}

// TestEqualsULOGD2 reads totals beside ulogd2.
func TestEqualsULOGD2(t *testing.T) {
	nstest.Need(t, "tool:ulogd")
	ns := counted(t)
	for i := range 300 { // more than one batch
		ns.Run(t, fmt.Sprintf("nfacct add many%d", i))
	}
	const plugins = "/usr/lib/x86_64-linux-gnu/ulogd/"
	dir := t.TempDir()
	os.WriteFile(dir+"/ulogd.conf", []byte("[global]\nlogfile=\"stdout\"\nplugin=\""+plugins+"ulogd_inpflow_NFACCT.so\"\nplugin=\""+plugins+"ulogd_output_GPRINT.so\"\n"+
		`stack=acct1:NFACCT,g:GPRINT
[acct1]
pollinterval=3600
zerocounter=0
[g]
file="`+dir+"/g\"\nsync=1\n"), 0o644)
	other := ns.Start(t, "ulogd -v -l 3 -c "+dir+"/ulogd.conf")
	other.WaitOutput("entering main loop", time.Minute)
	d := start(t, ns, "pollinterval = 3600\nzerocounter = 0")
	send(t, ns, 1001, 4)
	d.Machine.Signal(engine.Dump)
	other.Signal(syscall.SIGUSR2)
	ours := poll(t, d, 303)
	var theirs []string
	nstest.Eventually(t, time.Minute, func() error {
		b, err := os.ReadFile(dir + "/g")
		theirs = strings.Split(strings.TrimSpace(strings.ReplaceAll(string(b), ",", " ")), "\n")
		if len(theirs) < 303 {
			return fmt.Errorf("ulogd2 wrote %d lines, %v", len(theirs), err)
		}
		return nil
	})
	if got, want := strings.Join(ours, "\n"), strings.Join(theirs, "\n"); got != want {
		t.Errorf("got\n%s\nulogd2 wrote\n%s", got, want)
	}
}

// TestNamespaceReturns: the namespace is deleted and made again under its name. What was counted
// since the last poll is read before it is left.
func TestNamespaceReturns(t *testing.T) {
	ns := counted(t)
	d := start(t, ns, "pollinterval = 3600")
	send(t, ns, 1001, 5)
	ns.Remove(t)
	d.Eventually("it is seen to be gone, and the time is counted",
		func() bool { return d.Count("acct1", "namespace_absent_seconds") > 0 })
	if lines := poll(t, d, 3); lines[0] != "sum.name=one sum.pkts=5 sum.bytes=500" {
		t.Errorf("the last poll: %q", lines)
	}
	ns.Make(t)
	count(t, ns)
	d.Eventually("it is read", func() bool { return d.Log.Has("the network namespace is there again") })
	send(t, ns, 1002, 4)
	d.Machine.Signal(engine.Dump)
	if lines := poll(t, d, 3); lines[0] != "sum.name=one sum.pkts=0 sum.bytes=0" ||
		lines[1] != "sum.name=two sum.pkts=4 sum.bytes=400" {
		t.Errorf("the other namespace: %q", lines)
	}
	if !d.Log.Has("the network namespace has gone away") || d.Count("acct1", "failed_polls") != 0 {
		t.Errorf("%d polls failed:\n%s", d.Count("acct1", "failed_polls"), d.Log)
	}
	d.Stop()
}

// TestMissingNamespace at the start is an error, unless it is to be waited for.
func TestMissingNamespace(t *testing.T) {
	ns := counted(t)
	ns.Remove(t)
	text := fmt.Sprintf(`stack = ["acct1:NFACCT,out:RECORD"]
[acct1]
pollinterval = 1
network_namespace_path = `+
		"%q", ns.Path())
	if err := stacktest.Plan(t, "test.toml", text, &stacktest.Log{}).Machine.Open(); err == nil ||
		!strings.Contains(err.Error(), ns.Path()) {
		t.Errorf("got %v", err)
	}
	d := start(t, ns, "pollinterval = 3600\nwait = true")
	ns.Make(t)
	count(t, ns)
	d.Eventually("it is read", func() bool { return d.Log.Has("the network namespace is there again") })
	send(t, ns, 1001, 2)
	d.Machine.Signal(engine.Dump)
	if lines := poll(t, d, 3); lines[0] != "sum.name=one sum.pkts=2 sum.bytes=200" {
		t.Errorf("got %q", lines)
	}
}

func TestStopEnds(t *testing.T) {
	ns := counted(t)
	d := start(t, ns, "pollinterval = 3600")
	d.Stop()
	if s := d.Stats("acct1"); s.Made != 0 {
		t.Errorf("%+v", s)
	}
}
