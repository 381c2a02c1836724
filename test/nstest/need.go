// What a test needs of the machine. Developers without root see skips; where everything should be
// there, ULOGD_KERNEL_TESTS=require turns a skip into a failure, so that nothing goes untested
// unnoticed. With ULOGD_KERNEL_TESTS=none nothing of the kernel is there, whatever it says: under
// qemu-user, which knows no NETLINK_NETFILTER.

package nstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// probes try a feature by using it, in a namespace that is thrown away.
var probes = map[string]func() error{
	"native":       func() error { return nil }, // the kernel answers, no emulator
	"root":         sync.OnceValue(func() error { return inNew(func() error { return nil }) }),
	"nft":          nftProbe(""),
	"nf_conntrack": nftProbe("ct state new"),
	"nflog":        nftProbe("log group 1"),
	"veth":         sync.OnceValue(func() error { return inNew(func() error { return ip("link", "add", "type", "veth") }) }),
}

// Need skips the test unless the machine has every feature; with ULOGD_KERNEL_TESTS=require it
// fails the test. Features are "native" (not under an emulator), "root" (may make network
// namespaces), "nft", "nf_conntrack", "nflog", "veth", and "tool:NAME" for a program in the search
// path.
func Need(t testing.TB, features ...string) {
	t.Helper()
	for _, feature := range features {
		if err := have(feature); err != nil {
			if os.Getenv("ULOGD_KERNEL_TESTS") == "require" {
				t.Fatalf("needs %s: %v (ULOGD_KERNEL_TESTS=require forbids skipping)", feature, err)
			}
			t.Skipf("needs %s: %v", feature, err)
		}
	}
}

func have(feature string) error {
	if name, ok := strings.CutPrefix(feature, "tool:"); ok {
		_, err := exec.LookPath(name)
		return err
	}
	probe, ok := probes[feature]
	if !ok {
		panic("nstest.Need: unknown feature " + feature)
	}
	if os.Getenv("ULOGD_KERNEL_TESTS") == "none" {
		return errors.New("ULOGD_KERNEL_TESTS=none")
	}
	return probe()
}

// nftProbe reports whether a chain with that one rule can be loaded.
func nftProbe(rule string) func() error {
	return sync.OnceValue(func() error {
		return inNew(func() error {
			cmd := exec.Command("nft", "-f", "-")
			cmd.Stdin = strings.NewReader("table inet probe { chain c { type filter hook input priority 0; " + rule + "; }; }")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("load nft rule %q: %w: %s", rule, err, out)
			}
			return nil
		})
	})
}

// inNew runs f in a new namespace. A user namespace is not enough: its root may not exceed buffer
// limits.
func inNew(f func() error) error {
	if ids, err := os.ReadFile("/proc/self/uid_map"); err == nil && strings.Join(strings.Fields(string(ids)), " ") != "0 0 4294967295" {
		return errors.New("running in a user namespace, real root needed")
	}
	var err error
	if entered := onThread(enterNew, func() { err = f() }); entered != nil {
		return entered
	}
	return err
}
