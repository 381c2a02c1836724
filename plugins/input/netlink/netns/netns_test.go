package netns_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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
	name := filepath.Join(t.TempDir(), "name")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(ns.Path(), name, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	place, err := netns.Stay(name)
	if e := unix.Unmount(name, 0); err != nil || e != nil {
		t.Fatal(err, e)
	}
	defer place.Close()
	for range 3 {
		place.Do(func() { _, err = net.InterfaceByName("only-here") })
		if err != nil {
			t.Error(err)
		}
	}
	if _, err := netns.Stay(name); err == nil {
		t.Error("a file that is no namespace was entered")
	}
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
		plain:             "enter the network namespace " + plain,
		plain + "-not-so": "network_namespace_path: open " + plain,
	} {
		err := netns.Do(path, func() error { t.Error("called outside"); return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
