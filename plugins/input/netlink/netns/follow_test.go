package netns_test

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/netns"
	"ulogd/test/nstest"
)

// TestFollower: a name stands for one namespace, for none, and for another one.
func TestFollower(t *testing.T) {
	nstest.Need(t, "root")
	name := filepath.Join(t.TempDir(), "name")
	names := func(ns *nstest.NS) {
		os.Remove(name) // the empty file
		if err := os.Symlink(ns.Path(), name); err != nil {
			t.Fatal(err)
		}
	}
	unnamed := func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	first, second := nstest.New(t), nstest.New(t)
	first.Run(t, "ip tuntap add dev first mode tun")
	second.Run(t, "ip tuntap add dev second mode tun")

	f := netns.Follower{Path: name}
	want, opened := "first", 0
	open := func() error {
		_, err := net.InterfaceByName(want)
		if err == nil {
			opened++
		}
		return err
	}
	env := &engine.Env{Log: slog.New(slog.DiscardHandler), Stats: &engine.Stats{}}
	if err := f.Open(env, open); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a missing namespace: %v", err)
	}
	f.Wait = true
	if err := f.Open(env, open); err != nil || !f.Away() || opened != 0 {
		t.Fatalf("a missing namespace that is waited for: %v, away %v, opened %d times", err, f.Away(), opened)
	}
	clock := time.Now()
	patience := 0
	tick := func(steps int) {
		for range steps {
			clock = clock.Add(time.Second)
			f.Tick(clock, func() bool { patience--; return patience < 0 }, open)
		}
	}
	expect := func(when string, away bool, times int) {
		t.Helper()
		if (f.Entered() == 0) != away {
			t.Errorf("%s: it is in namespace %d", when, f.Entered())
		}
		if f.Away() != away || opened != times {
			t.Fatalf("%s: away %v, opened %d times; want %v, %d", when, f.Away(), opened, away, times)
		}
	}
	tick(3)
	expect("still missing", true, 0)
	if err := os.WriteFile(name, nil, 0o600); err != nil { // what `ip netns add` makes first
		t.Fatal(err)
	}
	tick(1)
	expect("an empty file", true, 0)
	names(first)
	tick(1)
	expect("the first", false, 1)
	tick(3)
	expect("the first, still", false, 1)
	unnamed()
	patience = 2
	tick(2)
	expect("being left", false, 1)
	tick(1)
	expect("left", true, 1)
	names(second)
	tick(1)
	expect("there, but it cannot be opened", true, 1)
	want = "second"
	tick(4)
	expect("the second", false, 2)
	unnamed()
	names(first)
	want, patience = "first", 0
	tick(2)
	expect("exchanged between two looks", false, 3)
}
