package nfct_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/engine/question"
	_ "ulogd/plugins/output/null"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// storms are a million connections at once, or fewer where the race detector or -short asks for it.
func stormSize(t testing.TB) int {
	if os.Getenv("ULOGD_STORMS") == "" {
		return 20_000
	}
	nstest.ConntrackMax(t, 1_100_000)
	return 1_000_000
}

// stormy runs NFCT into an output that is slow.
func stormy(t testing.TB, ns *nstest.NS, settings string) *stacktest.Daemon {
	t.Helper()
	// Else a fast machine might read as fast as the kernel writes.
	return start(t, ns, t.Name(), settings, "keys = \"ct.id\"\ndelay = \"3ms\"")
}

// TestReliableLosesNothing: a buffer for some hundred events, and all of a storm arrive.
func TestReliableLosesNothing(t *testing.T) {
	n := stormSize(t)
	ns := tracked(t)
	d := stormy(t, ns, "reliable = true\nnetlink_socket_buffer_size = 212992")
	nstest.FillConntrack(t, ns, n)
	ns.Run(t, "conntrack -F")
	eventually(t, d, "all ends", func() bool { return d.Stats("ct1").Out >= int64(n) })
	d.Stop()
	s := d.Stats("ct1")
	if s.Out != int64(n) || s.Lost != 0 {
		t.Errorf("%d of %d exported, %d lost\n%s", s.Out, n, s.Lost, d.Sums())
	}
	if d.Count("ct1", "resent") == 0 {
		t.Error("the buffer was never full: the test shows nothing")
	}
}

// TestOverrunIsRecovered: what the buffer had no room for is found by a dump, to the last
// connection.
func TestOverrunIsRecovered(t *testing.T) {
	n := stormSize(t)
	ns := tracked(t)
	d := stormy(t, ns, "netlink_socket_buffer_size = 212992\nnetlink_resync_timeout = 1")
	const left = 100
	nstest.FillConntrack(t, ns, n)
	eventually(t, d, "the table to be known", func() bool { return d.Count("ct1", "live") == int64(n) })
	ns.Run(t, "conntrack -F")
	nstest.FillConntrack(t, ns, left-len(mixed))
	enter(t, ns, mixed...)
	eventually(t, d, "the storm to be over", func() bool {
		s := d.Stats("ct1")
		return s.Out+s.Lost == int64(n) && d.Count("ct1", "live") == left
	})
	if ours, theirs := remembered(t, d), inKernel(t, ns); !slices.Equal(ours, theirs) {
		t.Errorf(
			"%d connections are remembered, conntrack -L has %d:\n%s\n\n%s",
			len(ours),
			len(theirs),
			strings.Join(ours, "\n"),
			strings.Join(theirs, "\n"),
		)
	}
	d.Stop()
	s := d.Stats("ct1")
	recovered := d.Count("ct1", "recovered")
	t.Logf("%d by their events, %d recovered, %d lost", s.Out-recovered, recovered, s.Lost)
	if s.Out+s.Lost != int64(n) {
		t.Errorf("%d exported and %d lost of %d\n%s", s.Out, s.Lost, n, d.Sums())
	}
	if recovered == 0 {
		t.Error("nothing was missed: the test shows nothing")
	}
}

// remembered lists the connections that the daemon takes for alive: protocol, both tuples,
// identifier and zone.
func remembered(t testing.TB, d *stacktest.Daemon) (list []string) {
	t.Helper()
	q, err := question.ParseFlows(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Ask(t.Context(), d.Machine, func(f *question.Flow) error {
		list = append(list, fmt.Sprint(f.Proto, f.Src, f.Dst, f.Sport, f.Dport, f.ReplySrc, f.ReplyDst, f.ReplySport,
			f.ReplyDport, f.ID, f.Zone))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

var (
	listed = regexp.MustCompile(
		`^\w+ +(\d+) .*?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) .*?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) .*id=(\d+)`,
	)
	withZone = regexp.MustCompile(` zone=(\d+)`)
)

// inKernel lists the kernel's connections in the same way.
func inKernel(t testing.TB, ns *nstest.NS) (list []string) {
	t.Helper()
	for line := range strings.Lines(ns.Run(t, "conntrack -L -o id")) {
		m := listed.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		zone := "0"
		if z := withZone.FindStringSubmatch(line); z != nil {
			zone = z[1]
		}
		list = append(list, strings.Join(append(m[1:], zone), " "))
	}
	slices.Sort(list)
	return list
}

// TestStormWhileDumping ends connections while the table is being read all the time: none may come
// back to life, and none may be reported after its end.
func TestStormWhileDumping(t *testing.T) {
	const n = 30_000
	ns := tracked(t)
	d := start(
		t,
		ns,
		t.Name(),
		"active_timeout = \"20ms\"\nnetlink_socket_buffer_maxsize = 268435456",
		"keys = [\"orig.ip.saddr\", \"ct.event\"]",
	)
	nstest.FillConntrack(t, ns, n)
	eventually(
		t,
		d,
		"the table to be known and reported",
		func() bool { return d.Count("ct1", "live") == n && d.Stats("ct1").Out > n/2 },
	)
	ns.Run(t, "conntrack -F")
	eventually(t, d, "all ends", func() bool { return d.Count("ct1", "live") == 0 })
	time.Sleep(200 * time.Millisecond) // more dumps
	d.Stop()
	if live := d.Count("ct1", "live"); live != 0 {
		t.Errorf("%d connections came back to life", live)
	}
	ended := map[string]bool{}
	for _, line := range stacktest.Recorded(t.Name()) {
		m := fields(line)
		if ended[m["orig.ip.saddr"]] {
			t.Fatalf("a record after the end: %q", line)
		}
		ended[m["orig.ip.saddr"]] = m["ct.event"] == "4"
	}
	if len(ended) != n {
		t.Errorf("%d of %d connections were reported", len(ended), n)
	}
	for addr, is := range ended {
		if !is {
			t.Errorf("%s has not ended", addr)
			break
		}
	}
}

// eventually waits longer than the daemon's own helper does.
func eventually(t testing.TB, d *stacktest.Daemon, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s\n%s\n%s", what, d.Log, d.Sums())
		}
	}
}

// TestReliableStopWaitsForTheKernel: what ended before the daemon was told to stop is awaited, and
// what the time is too short for is counted.
func TestReliableStopWaitsForTheKernel(t *testing.T) {
	n := stormSize(t)
	for _, c := range []struct {
		name    string
		keys    string
		timeout time.Duration
		lost    bool
	}{
		{"time enough", "keys = \"ct.id\"", 3 * time.Minute, false},
		{"too little time", "keys = \"ct.id\"\ndelay = \"200ms\"\nqueue = 0", 10 * time.Second, true}, // it would take 16 s
	} {
		t.Run(c.name, func(t *testing.T) {
			ns := tracked(t)
			d := start(
				t,
				ns,
				t.Name(),
				"reliable = true\nnetlink_socket_buffer_size = 212992\nexpire_interval = 0",
				c.keys,
			)
			nstest.FillConntrack(t, ns, n)
			ns.Run(t, "conntrack -F")
			nstest.FillConntrack(t, ns, 1000)  // they live on, and nothing of them is lost
			time.Sleep(500 * time.Millisecond) // some are read by then, and most wait in the kernel
			d.Machine.Stop(c.timeout)
			if err := d.Machine.Wait(); err != nil {
				t.Errorf("%v\n%s", err, d.Log)
			}
			s := d.Stats("ct1")
			t.Logf("%d exported, %d lost", s.Out, s.Lost)
			if s.Out+s.Lost != int64(n) || s.Lost > 0 != c.lost || d.Log.Has("counted as lost") != c.lost {
				t.Errorf("%d exported and %d lost of %d\n%s\n%s", s.Out, s.Lost, n, d.Sums(), d.Log)
			}
			d.CheckSums()
		})
	}
}
