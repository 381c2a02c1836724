package nflog

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// rules log what the namespace sends to a port to group 7, and drop it.
const rules = `table inet t { chain out { type filter hook output priority 0; policy accept; udp dport 9 counter log prefix "OUT " group 7 accept; }; }`

func namespace(t *testing.T) *nstest.NS {
	nstest.Need(t, "root", "nft", "nflog")
	ns := nstest.New(t)
	ns.Nft(t, rules)
	return ns
}

// reader starts a daemon that reads group 7 of the namespace.
func reader(t *testing.T, ns *nstest.NS, settings, output string) *stacktest.Daemon {
	return stacktest.Start(t, fmt.Sprintf(`stack = ["in:NFLOG,o:RECORD"]
[in]
group = 7
network_namespace_path = %q
%s
[o]
name = %q
%s`,
		ns.Path(), settings, t.Name(), output))
}

// sendTo sends datagrams to a port of the namespace's loopback.
func sendTo(t *testing.T, ns *nstest.NS, port, n int, payload string) {
	t.Helper()
	ns.Do(t, func() {
		// Not connected: such a socket is not told that nobody listens.
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		for range n {
			if _, err := c.WriteTo([]byte(payload), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err != nil {
				t.Error(err)
				return
			}
		}
	})
}

// TestStopTakesWhatTheKernelHolds: the kernel gathers up to 100 packets for a second, and SIGTERM
// comes before.
func TestStopTakesWhatTheKernelHolds(t *testing.T) {
	ns := namespace(t)
	d := reader(t, ns, "netlink_qtimeout = 1000", "")
	sendTo(t, ns, 9, 250, "x")
	d.Stop()
	if got := stacktest.Recorded(t.Name()); len(got) != 250 {
		t.Errorf("%d records of 250 packets", len(got))
	}
	if lost := d.Stats("in").Lost; lost != 0 {
		t.Errorf("%d counted as lost", lost)
	}
}

// TestLocalPacketsHaveATime: the kernel gives none for what the machine itself sends.
func TestLocalPacketsHaveATime(t *testing.T) {
	ns := namespace(t)
	d := reader(t, ns, "netlink_qthreshold = 1", "keys = [\"oob.time\", \"oob.prefix\", \"oob.hook\"]")
	before := time.Now().Unix()
	sendTo(t, ns, 9, 1, "x")
	d.Eventually("the packet is there", func() bool { return d.Stats("o").Out == 1 })
	var sec int64
	got := stacktest.Recorded(t.Name())
	if _, err := fmt.Sscanf(got[0], "oob.time.sec=%d", &sec); err != nil {
		fmt.Sscanf(got[0], "oob.time=%d", &sec)
		sec /= 1e9
	}
	if sec < before || sec > time.Now().Unix() || !strings.Contains(got[0], "oob.prefix=OUT  oob.hook=3") {
		t.Errorf("got %s", got)
	}
}

// TestLossesAreCountedExactly overruns a small buffer: what is logged and what is lost are what was
// sent.
func TestLossesAreCountedExactly(t *testing.T) {
	ns := namespace(t)
	d := reader(t, ns, "netlink_socket_buffer_size = 20000\nnetlink_qthreshold = 1", "delay = 0.02")
	const storm, marker = 20000, 1
	sendTo(t, ns, 9, storm, strings.Repeat("x", 1000))
	d.Eventually("the storm is over", func() bool {
		before := d.Stats("in").Made
		time.Sleep(300 * time.Millisecond)
		return d.Stats("in").Made == before
	})
	sendTo(t, ns, 9, marker, "marker")
	d.Eventually("the marker is there", func() bool {
		s := d.Stats("in")
		return s.Made+s.Lost == storm+marker
	})
	if d.Count("in", "overruns") == 0 || d.Stats("in").Lost == 0 {
		t.Errorf("nothing was lost: the test shows nothing: %s", d.Sums())
	}
	if !strings.Contains(d.Log.String(), "netlink_socket_buffer_size") {
		t.Errorf("the log names no remedy: %s", d.Log)
	}
}

// TestLossesBehindTheLastPacketAreCounted: after an overrun no packet comes whose number tells what
// is missing. The socket's count does, in datagrams.
func TestLossesBehindTheLastPacketAreCounted(t *testing.T) {
	for _, each := range []int{1, 50} {
		t.Run(fmt.Sprint(each), func(t *testing.T) {
			ns := namespace(t)
			d := reader(t, ns, fmt.Sprintf("netlink_socket_buffer_size = 300000\nnetlink_qthreshold = %d", each), "delay = 0.5")
			storm := int64(0)
			for tries := 0; d.Count("in", "unnumbered") == 0; tries++ { // the reader may have caught up before the last
				if tries == 30 {
					t.Fatalf("nothing was lost behind the last packet: the test shows nothing: %s", d.Sums())
				}
				const packets = 20000
				sendTo(t, ns, 9, packets, strings.Repeat("x", 100))
				storm += packets
				d.Eventually("all are logged or lost", func() bool { s := d.Stats("in"); return s.Made+s.Lost == storm })
			}
			if !strings.Contains(d.Log.String(), "packets are being lost") {
				t.Errorf("the log does not say so: %s", d.Log)
			}
			// What the next packets' numbers tell of these losses is not taken for some of those that follow.
			for range 3 {
				sendTo(t, ns, 9, 20000, strings.Repeat("x", 100))
				storm += 20000
				d.Eventually("all are logged or lost again", func() bool { s := d.Stats("in"); return s.Made+s.Lost == storm })
			}
			sendTo(t, ns, 9, each, "marker")
			d.Eventually("the numbers tell all", func() bool {
				s := d.Stats("in")
				return s.Made+s.Lost == storm+int64(each) && d.Count("in", "unnumbered") == 0
			})
		})
	}
}

// TestNamespaceReturns: the namespace is deleted and made again under its name.
func TestNamespaceReturns(t *testing.T) {
	ns := namespace(t)
	d := reader(t, ns, "netlink_qthreshold = 1", "")
	sendTo(t, ns, 9, 3, "x")
	d.Eventually("the first namespace's packets", func() bool { return d.Stats("o").Out == 3 })
	ns.Remove(t)
	d.Eventually("it is seen to be gone, and the time is counted", func() bool { return d.Count("in", "namespace_absent_seconds") > 0 })
	ns.Make(t)
	ns.Nft(t, rules)
	d.Eventually("the other one is read", func() bool { sendTo(t, ns, 9, 1, "x"); return d.Stats("o").Out > 3 })
	log := d.Log.String()
	for _, want := range []string{"the network namespace has gone away", "the network namespace is there again", ns.Path()} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if lost := d.Stats("in").Lost; lost != 0 {
		t.Errorf("%d packets count as lost", lost)
	}
}

// TestMissingNamespace at the start is an error, unless it is to be waited for.
func TestMissingNamespace(t *testing.T) {
	ns := namespace(t)
	ns.Remove(t)
	if err := open(t, ns); err == nil || !strings.Contains(err.Error(), ns.Path()) {
		t.Errorf("got %v", err)
	}
	d := reader(t, ns, "netlink_qthreshold = 1\nwait = true", "")
	ns.Make(t)
	ns.Nft(t, rules)
	d.Eventually("it is read", func() bool { sendTo(t, ns, 9, 1, "x"); return d.Stats("o").Out > 0 })
}

func TestSecondReaderIsToldWhoTheFirstIs(t *testing.T) {
	ns := namespace(t)
	reader(t, ns, "", "")
	err := open(t, ns)
	name, _ := os.ReadFile("/proc/self/comm")
	want := fmt.Sprintf("unable to bind to log group 7: process %d (%s) reads it already", os.Getpid(), strings.TrimSpace(string(name)))
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// open opens a second reader of the group, which must fail.
func open(t *testing.T, ns *nstest.NS) error {
	t.Helper()
	plan := stacktest.Plan(t, "test.toml", fmt.Sprintf(`stack = ["in:NFLOG,o:RECORD"]
[in]
group = 7
network_namespace_path = %q`, ns.Path()), &stacktest.Log{})
	return plan.Machine.Open()
}

// TestBufferGrows overruns the receive buffer until it is as large as it may get.
func TestBufferGrows(t *testing.T) {
	nstest.Need(t, "tool:ss")
	ns := namespace(t)
	const least, most = 20000, 300000
	d := reader(t, ns, fmt.Sprintf("netlink_socket_buffer_size = %d\nnetlink_socket_buffer_maxsize = %d\nnetlink_qthreshold = 1", least, most), "delay = 0.05")
	// The kernel counts its own bookkeeping too, and so grants twice what is asked for (socket(7)).
	socket := regexp.MustCompile(`(?m) (?:12|nft):[1-9]\d* .*,rb(\d+),`) // NETLINK_NETFILTER is 12; ss may know a name
	size := func() (n int) {
		m := socket.FindStringSubmatch(ns.Run(t, "ss -f netlink -a -m -H -n"))
		if m == nil {
			t.Fatal("ss shows no netfilter socket")
		}
		fmt.Sscan(m[1], &n)
		return n / 2
	}
	if got := size(); got != least {
		t.Fatalf("the buffer has %d octets at first", got)
	}
	sizes := []int{least}
	for sizes[len(sizes)-1] < most {
		sendTo(t, ns, 9, 1000, strings.Repeat("x", 1000))
		d.Eventually("the buffer has grown", func() bool { return size() > sizes[len(sizes)-1] })
		sizes = append(sizes, size())
	}
	sendTo(t, ns, 9, 1000, strings.Repeat("x", 1000))
	d.Eventually("another overrun", func() bool { return d.Count("in", "overruns") >= int64(len(sizes)) })
	t.Logf("the buffer's sizes: %d", sizes)
	if got := size(); got != most {
		t.Errorf("the buffer has %d octets in the end, %d are its most", got, most)
	}
}

// TestSmallBufsizeHasNoEffect: in ulogd2, a batch of the kernel's that is larger than bufsize is
// lost without a word.
func TestSmallBufsizeHasNoEffect(t *testing.T) {
	ns := namespace(t)
	d := reader(t, ns, "bufsize = 1000\nnetlink_qthreshold = 50\nnetlink_qtimeout = 10", "")
	sendTo(t, ns, 9, 100, strings.Repeat("x", 1200))
	d.Eventually("all packets are there", func() bool { return d.Stats("o").Out == 100 })
}
