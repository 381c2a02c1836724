package nstest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestNamespaceIsApart(t *testing.T) {
	ns := New(t)
	if links := ns.Run(t, "ip -brief link"); !strings.Contains(links, "lo ") || !strings.Contains(links, "LOWER_UP") {
		t.Errorf("want a loopback device that is up, have:\n%s", links)
	}
	var inside net.Listener
	ns.Do(t, func() {
		var err error
		if inside, err = net.Listen("tcp", "127.0.0.1:4739"); err != nil {
			t.Fatal(err)
		}
	})
	defer inside.Close()
	if sockets := ns.Run(t, "ss -Hltn"); !strings.Contains(sockets, "127.0.0.1:4739") {
		t.Errorf("the socket that Do opened is not in the namespace: %q", sockets)
	}
	other := New(t)
	if sockets := other.Run(t, "ss -Hltn"); sockets != "" {
		t.Errorf("another namespace has sockets: %q", sockets)
	}
}

func TestDoEndsWithTheTest(t *testing.T) {
	ns := New(t)
	reached := false
	t.Run("skip inside", func(t *testing.T) {
		ns.Do(t, func() { t.SkipNow() })
		reached = true
	})
	if reached {
		t.Error("the test went on after Do had ended it")
	}
}

func TestProcess(t *testing.T) {
	ns := New(t)
	sh := ns.Start(t, "sh -c", "trap 'echo stopping; exit 7' TERM; echo ready in $(ip netns identify $$); while :; do sleep 0.1; done")
	if got := sh.WaitOutput(`ready in (\S+)`, time.Minute)[1]; got != ns.Name() {
		t.Errorf("the program runs in %q, want %q", got, ns.Name())
	}
	if code := sh.Stop(syscall.SIGTERM).ExitCode(); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
	if !strings.HasSuffix(sh.Output(), "stopping\n") {
		t.Errorf("last words are missing: %q", sh.Output())
	}
}

func TestVeth(t *testing.T) {
	a, b := New(t), New(t)
	Veth(t, a, b, "left", "192.0.2.1/24", "right", "192.0.2.2/24")
	Veth(t, a, b, "left6", "2001:db8::1/64", "right6", "2001:db8::2/64")
	for network, to := range map[string]string{"tcp4": "192.0.2.2:80", "tcp6": "[2001:db8::2]:80"} {
		var listener net.Listener
		b.Do(t, func() {
			var err error
			if listener, err = net.Listen(network, to); err != nil {
				t.Fatal(err)
			}
		})
		defer listener.Close()
		a.Do(t, func() {
			conn, err := net.DialTimeout(network, to, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	}
}

func TestConntrackSeesTraffic(t *testing.T) {
	Need(t, "nf_conntrack", "tool:conntrack")
	ns := New(t)
	EnableConntrack(t, ns)
	ns.Do(t, func() {
		listener, err := net.Listen("tcp", "127.0.0.1:4739")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	})
	entry := ns.Run(t, "conntrack -L -p tcp -o ktimestamp")
	for _, want := range []string{"dst=127.0.0.1", "dport=4739", "packets=", "[start="} {
		if !strings.Contains(entry, want) {
			t.Errorf("no %q in %q", want, entry)
		}
	}
}

func TestFillConntrack(t *testing.T) {
	Need(t, "nf_conntrack", "tool:conntrack")
	ns := New(t)
	EnableConntrack(t, ns)
	FillConntrack(t, ns, 1000)
	FillConntrack(t, ns, 500)
	if got := strings.TrimSpace(ns.Run(t, "conntrack -C")); got != "1500" {
		t.Errorf("conntrack counts %s entries, want 1500", got)
	}
	list := ns.Run(t, "conntrack -L -o ktimestamp")
	if lines := strings.Count(list, "\n"); lines != 1500 {
		t.Errorf("conntrack lists %d entries, want 1500", lines)
	}
	for _, source := range []string{"10.0.0.1", "10.0.3.232", "10.0.5.220"} { // the 1st, 1000th and 1500th
		want := "src=" + source + " dst=10.255.255.255 sport=1024 dport=53 packets=0 bytes=0 " +
			"src=10.255.255.255 dst=" + source + " sport=53 dport=1024 packets=0 bytes=0 [ASSURED]"
		if !strings.Contains(list, want) {
			t.Errorf("conntrack does not list %q", want)
		}
	}
	if stamped := strings.Count(list, "[start="); stamped != 1500 {
		t.Errorf("%d entries have a start time, want 1500", stamped)
	}
}

func TestFilledEntriesEndInEvents(t *testing.T) {
	Need(t, "nf_conntrack", "tool:conntrack")
	ns := New(t)
	EnableConntrack(t, ns)
	events := ns.Start(t, "conntrack -E -e DESTROY -o ktimestamp")
	events.WaitSubscribed(time.Minute)
	FillConntrack(t, ns, 100)
	ns.Run(t, "conntrack -F")
	events.WaitOutput(`\[DESTROY\] udp .* src=10\.0\.0\.100 .*\[start=.*\[stop=`, time.Minute)
	Eventually(t, time.Minute, func() error {
		if n := strings.Count(events.Output(), "[DESTROY]"); n != 100 {
			return fmt.Errorf("%d of 100 DESTROY events", n)
		}
		return nil
	})
}

func TestFillConntrackMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("a million entries take seconds and 400 MB of kernel memory")
	}
	Need(t, "nf_conntrack", "tool:conntrack")
	ConntrackMax(t, 1_100_000)
	ns := New(t)
	begin := time.Now()
	FillConntrack(t, ns, 1_000_000)
	t.Logf("made a million entries in %v", time.Since(begin))
	if got := strings.TrimSpace(ns.Run(t, "conntrack -C")); got != "1000000" {
		t.Errorf("conntrack counts %s entries, want 1000000", got)
	}
}

func TestConntrackMaxIsPutBack(t *testing.T) {
	Need(t, "root", "nf_conntrack")
	lock := filepath.Join(os.TempDir(), prefix+"-nf_conntrack_max")
	var before int
	t.Run("raise", func(t *testing.T) {
		ConntrackMax(t, 1)
		before = raised.before
		if now, err := readNumber(maxPath); err != nil || now != before {
			t.Fatalf("the limit is %d (%v), want it unchanged at %d", now, err, before)
		}
		t.Run("twice", func(t *testing.T) { ConntrackMax(t, before+1) })
		if now, err := readNumber(maxPath); err != nil || now != before+1 {
			t.Fatalf("the limit is %d (%v), want %d", now, err, before+1)
		}
		if saved, err := readNumber(lock); err != nil || saved != before {
			t.Errorf("the lock file says %d (%v), want %d", saved, err, before)
		}
	})
	t.Run("after", func(t *testing.T) {
		ConntrackMax(t, 1) // own the limit while looking at it
		if now, err := readNumber(maxPath); err != nil || now != before {
			t.Errorf("the limit is %d (%v), want %d back", now, err, before)
		}
	})
}

func TestNeed(t *testing.T) {
	t.Setenv("ULOGD_KERNEL_TESTS", "")
	skipped := false
	t.Run("skips", func(t *testing.T) {
		t.Cleanup(func() { skipped = t.Skipped() })
		Need(t, "tool:ulogdtest-no-such-program")
	})
	if !skipped {
		t.Error("a missing program did not skip the test")
	}
	t.Setenv("ULOGD_KERNEL_TESTS", "require")
	var required recorder
	done := make(chan struct{})
	go func() {
		defer close(done)
		Need(&required, "tool:ulogdtest-no-such-program")
	}()
	<-done
	if !strings.Contains(required.fatal, "ulogdtest-no-such-program") {
		t.Errorf("a missing program that is required did not fail the test, message %q", required.fatal)
	}
}

// recorder is a test that may fail without failing this one.
type recorder struct {
	testing.TB
	fatal string
}

func (*recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestNothingIsLeftBehind(t *testing.T) {
	Need(t, "root", "tool:ip")
	before := ours(t)
	var pid int
	t.Run("mess", func(t *testing.T) {
		a, b := New(t), New(t)
		Veth(t, a, b, "left", "192.0.2.1/24", "right", "192.0.2.2/24")
		a.Start(t, "sleep 60")
		b.Run(t, "sh -c", "setsid -f sleep 60 >/dev/null 2>&1") // no child of the test
		pid = a.Start(t, "sh -c", "sleep 60 & wait").PID()
		if len(ours(t)) != len(before)+2 {
			t.Errorf("want two namespaces more than %v, have %v", before, ours(t))
		}
	})
	if after := ours(t); len(after) != len(before) {
		t.Errorf("namespaces before %v, after %v", before, after)
	}
	if err := syscall.Kill(-pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("processes of group %d live on (%v)", pid, err)
	}
}

func TestLeftoversOfAKilledTestAreRemoved(t *testing.T) {
	Need(t, "root", "tool:ip")
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	stale := &NS{name: fmt.Sprintf("%s-%d-1", prefix, dead.Process.Pid)}
	if err := ip("netns", "add", stale.name); err != nil {
		t.Fatal(err)
	}
	alive := New(t)
	sleeper := stale.Start(t, "sleep 60")
	Eventually(t, time.Minute, func() error {
		if strings.TrimSpace(alive.Run(t, "ip netns pids "+stale.name)) == "" {
			return errors.New("the sleeper is not inside yet")
		}
		return nil
	})
	reap()
	sleeper.Wait(time.Minute)
	if _, err := os.Stat(stale.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there (%v)", stale.name, err)
	}
	if _, err := os.Stat(alive.Path()); err != nil {
		t.Errorf("a namespace in use was removed: %v", err)
	}
}

// ours lists the namespaces of this test binary.
func ours(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(fmt.Sprintf("/run/netns/%s-%d-*", prefix, os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	return names
}
