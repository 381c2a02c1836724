// Package nstest lets a test use the real kernel in ten lines: network namespaces made for one test
// and removed after it, programs that run inside them, rules, cables, and full conntrack tables.
//
//	func TestDestroyIsSeen(t *testing.T) {
//		nstest.Need(t, "nf_conntrack", "tool:conntrack")
//		ns := nstest.New(t)
//		nstest.EnableConntrack(t, ns)
//		events := ns.Start(t, "conntrack -E -e DESTROY")
//		events.WaitSubscribed(time.Minute)
//		nstest.FillConntrack(t, ns, 10)
//		ns.Run(t, "conntrack -F")
//		events.WaitOutput("DESTROY.*src=10.0.0.10 ", time.Minute)
//	}
//
// The namespaces are plain ones made by real root, not children of a user namespace, because there
// the kernel refuses SO_RCVBUFFORCE and caps socket buffers. Names are prefix-PID-N, so that a test
// binary that was killed half way leaves names which the next one recognises and removes.
//
// The package is for tests alone.
package nstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const prefix = "ulogdtest"

// Do ends the threads it used. The first thread of a process cannot end: it would stay in the
// namespace, and with it what /proc says of the whole process. Keeping the main goroutine on it
// keeps it out of Do.
func init() { runtime.LockOSThread() }

// NS is a network namespace that belongs to one test.
type NS struct {
	name   string
	filled uint32 // conntrack entries made by FillConntrack so far
}

var (
	counter   atomic.Uint32
	reapStale sync.Once
)

// New makes a network namespace with its loopback device up. It and every process in it end with
// the test.
func New(t testing.TB) *NS {
	t.Helper()
	Need(t, "root", "tool:ip")
	reapStale.Do(reap)
	ns := &NS{name: fmt.Sprintf("%s-%d-%d", prefix, os.Getpid(), counter.Add(1))}
	ns.Make(t)
	t.Cleanup(func() { ns.Remove(t) })
	return ns
}

// Make makes the namespace again, after Remove: an empty one of the same name.
func (ns *NS) Make(t testing.TB) {
	t.Helper()
	if err := ip("netns", "add", ns.name); err != nil {
		t.Fatal(err)
	}
	if err := ip("-n", ns.name, "link", "set", "lo", "up"); err != nil {
		t.Fatal(err)
	}
}

// Remove ends what runs in the namespace and deletes it; the kernel keeps it as long as somebody
// has a socket in it.
func (ns *NS) Remove(t testing.TB) {
	t.Helper()
	if err := remove(ns.name); err != nil {
		t.Error(err)
	}
}

// Name is what `ip netns` calls the namespace.
func (ns *NS) Name() string { return ns.name }

// Path is the file that stands for the namespace, for setns(2) and network_namespace_path.
func (ns *NS) Path() string { return "/run/netns/" + ns.name }

// remove kills what still runs in the named namespace, then takes its name away.
func remove(name string) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		pids, err := exec.Command("ip", "netns", "pids", name).Output()
		if err != nil {
			return fmt.Errorf("list processes in namespace %s: %w", name, err)
		}
		if len(pids) == 0 {
			return ip("netns", "del", name)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("remove namespace %s: processes survive SIGKILL: %s", name, strings.Fields(string(pids)))
		}
		for _, field := range strings.Fields(string(pids)) {
			if pid, _ := strconv.Atoi(field); pid > 1 && pid != os.Getpid() {
				unix.Kill(pid, unix.SIGKILL) // it may have ended by itself meanwhile
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// reap removes the namespaces of test binaries that were killed before they could clean up.
func reap() {
	names, _ := os.ReadDir("/run/netns") // missing until the first namespace gets a name
	for _, entry := range names {
		var pid, n int
		if _, err := fmt.Sscanf(entry.Name(), prefix+"-%d-%d", &pid, &n); err != nil {
			continue
		}
		if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			remove(entry.Name()) // another test binary may be removing it as well
		}
	}
}

// ip runs the ip command in the test's own namespace.
func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
