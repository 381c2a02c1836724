package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/test/ipfixtest"
	"ulogd/test/nstest"
)

// stats asks the daemon for the counters of an instance. Those of all must add up; a batch may be
// between two counters just when they are read, so not at the first look.
func stats(t *testing.T, config, id string) engine.Snapshot {
	t.Helper()
	var all []engine.Snapshot
	nstest.Eventually(t, time.Minute, func() error {
		out, err := exec.Command(daemon, "stats", "--json", "-c", config).Output()
		if err != nil {
			return fmt.Errorf("ulogd stats: %w", err)
		}
		all = nil
		if err := json.Unmarshal(out, &all); err != nil {
			return err
		}
		for _, s := range all {
			if s.Open() != 0 && s.Held == 0 {
				return fmt.Errorf("%s: %d records are not accounted for", s.ID, s.Open())
			}
		}
		return nil
	})
	for _, s := range all {
		if s.ID == id {
			return s
		}
	}
	t.Fatalf("no instance %s", id)
	return engine.Snapshot{}
}

// storm destroys n conntrack entries at once under a daemon with the given receive buffer, and
// returns how many flows the collector has and how many the daemon counts as lost.
func storm(t *testing.T, n, buffer int) (exported, lost int64) {
	t.Helper()
	nstest.Need(t, "root", "nf_conntrack", "tool:conntrack")
	nstest.ConntrackMax(t, n+1000)
	ns := nstest.New(t)
	nstest.EnableConntrack(t, ns)
	// The flush ends the export's own connection too. Its end would be left out if it arrived, but
	// nobody can tell whether it is among those that are lost: so it is not tracked.
	ns.Nft(t, `table inet own {
	chain o { type filter hook output priority -400; tcp dport 4739 notrack; tcp sport 4739 notrack; }
	chain p { type filter hook prerouting priority -400; tcp dport 4739 notrack; tcp sport 4739 notrack; }
}`)
	sink := ipfixtest.Start(t, ns)
	config := write(t, "ulogd.conf", fmt.Sprintf(`
control="%s"
stack=ct1:NFCT,ipfix1:IPFIX
[ct1]
event_mask=4
initial_dump=0
expire_interval=0
netlink_socket_buffer_size=%d
netlink_socket_buffer_maxsize=%d
[ipfix1]
oid=1
host="127.0.0.1"
direction="sum"
`, filepath.Join(t.TempDir(), "control"), buffer, buffer))
	// Without a look at the table, which may show the entries below: those that it knows and that
	// are lost would be recovered at the stop, after the losses are read here.
	p := start(t, ns, config)
	nstest.FillConntrack(t, ns, n) // the kernel reports the end only of entries that were made while somebody listened
	ns.Run(t, "conntrack -F")
	var s engine.Snapshot
	nstest.Eventually(t, 90*time.Second, func() error {
		s = stats(t, config, "ct1")
		if s.Out+s.Lost < int64(n) {
			return fmt.Errorf("%d of %d flows are accounted for", s.Out+s.Lost, n)
		}
		return nil
	})
	if state := p.Stop(syscall.SIGTERM); state.ExitCode() != 0 {
		t.Errorf("exit code %d\n%s", state.ExitCode(), p.Output())
	}
	sink.Sessions.Wait()
	if g := sink.Gaps.Load(); g > 0 {
		t.Errorf("the sequence numbers have %d gaps", g)
	}
	return sink.Records.Load(), s.Lost
}

func TestStormWithRoomLosesNothing(t *testing.T) {
	const n = 500_000
	exported, lost := storm(t, n, 64<<20)
	if exported+lost != n {
		t.Errorf("exported %d + lost %d is not %d", exported, lost, n)
	}
	if lost > 0 {
		t.Errorf("%d flows were lost with a buffer of 64 MiB", lost)
	}
}

func TestStormInASmallBufferIsCountedToTheLastFlow(t *testing.T) {
	const n = 500_000
	exported, lost := storm(t, n, 212_992)
	if exported+lost != n {
		t.Errorf("exported %d + lost %d is not %d", exported, lost, n)
	}
	t.Logf("exported %d, lost %d", exported, lost)
}
