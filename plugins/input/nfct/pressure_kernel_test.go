package nfct

import (
	"log/slog"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/netns"
	"ulogd/test/nstest"
)

// The limit of the table is the whole machine's, so this fills none.
func TestKernelStatisticsAreRead(t *testing.T) {
	nstest.Need(t, "root", "nf_conntrack")
	ns := nstest.New(t)
	nstest.EnableConntrack(t, ns)
	n := &nfct{
		settings: settings{place: netns.Follower{Path: ns.Path()}},
		env:      &engine.Env{Log: slog.New(slog.DiscardHandler), Stats: &engine.Stats{}},
	}
	if err := n.pressure.open(n); err != nil {
		t.Fatal(err)
	}
	defer n.pressure.close()
	if !n.pressure.known {
		t.Fatal("the kernel's statistics were not read")
	}
	// As if the counts had been lower before: the kernel's are 0 in a new namespace, so go through
	// the arithmetic by hand.
	n.pressure.dropped, n.pressure.early = ^uint64(0), 0
	n.pressure.look(n, time.Now().Add(pressureEvery))
	if n.pressure.lost.Load() != 0 {
		t.Error("counts that wrapped were taken for losses")
	}
	if n.pressure.dropped != 0 {
		t.Error("the counts were not taken over")
	}
}
