package netns_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ulogd/plugins/input/netlink/netns"
	"ulogd/test/nstest"
)

func TestDo(t *testing.T) {
	nstest.Need(t, "root")
	ns := nstest.New(t)
	ns.Run(t, "ip tuntap add dev only-here mode tun")
	look := func() error { _, err := net.InterfaceByName("only-here"); return err }
	if err := netns.Do(ns.Path(), look); err != nil {
		t.Error(err)
	}
	if netns.Do("", look) == nil || look() == nil {
		t.Error("the caller sees the namespace's interface")
	}
	failure := errors.New("from within")
	if err := netns.Do(ns.Path(), func() error { return failure }); err != failure {
		t.Error(err)
	}
}

// TestPlace: who has entered a namespace can work there when its name is gone.
func TestPlace(t *testing.T) {
	nstest.Need(t, "root")
	ns := nstest.New(t)
	ns.Run(t, "ip tuntap add dev only-here mode tun")
	place, err := netns.Stay(ns.Path())
	if err != nil {
		t.Fatal(err)
	}
	ns.Remove(t)
	defer place.Close()
	for range 3 {
		place.Do(func() { _, err = net.InterfaceByName("only-here") })
		if err != nil {
			t.Error(err)
		}
	}
	var here uint64
	place.Do(func() { here = netns.Here() })
	if here == 0 || here != place.ID() || here == netns.Here() {
		t.Errorf("the place is %d, there it is %d, here %d", place.ID(), here, netns.Here())
	}
	if _, err := netns.Stay(ns.Path()); !netns.IsMissing(err) {
		t.Errorf("a namespace that is gone: %v", err)
	}
	ns.Make(t)
	home, err := netns.Stay("")
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	home.Do(func() { _, err = net.InterfaceByName("only-here") })
	if err == nil {
		t.Error("the caller's own namespace has the interface")
	}
}

func TestErrors(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		plain:             plain + ": there is no network namespace",
		plain + "-not-so": "network_namespace_path: open " + plain,
	} {
		err := netns.Do(path, func() error { t.Error("called outside"); return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
