package cmd_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is a service manager's end of sd_notify.
type manager struct {
	*testing.T
	l *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &manager{t, l}
}

// starts starts the daemon as a service; watchdog is "" for none.
func (m *manager) starts(watchdog string, args ...string) *running {
	m.Helper()
	c := exec.Command(binary, args...)
	c.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.l.LocalAddr().String())
	if watchdog != "" { // of the very process: WATCHDOG_PID is this shell's, which becomes the daemon
		c = exec.Command("sh", append([]string{"-c", `WATCHDOG_PID=$$ exec "$0" "$@"`, binary}, args...)...)
		c.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.l.LocalAddr().String(), "WATCHDOG_USEC="+watchdog)
	}
	return startAs(m.T, c)
}

// hears waits for a message and returns its assignments.
func (m *manager) hears() map[string]string {
	m.Helper()
	said, b := map[string]string{}, make([]byte, 4096)
	m.l.SetReadDeadline(time.Now().Add(30 * time.Second))
	n, err := m.l.Read(b)
	if err != nil {
		m.Fatal("the daemon says nothing: ", err)
	}
	for line := range strings.SplitSeq(string(b[:n]), "\n") {
		name, value, _ := strings.Cut(line, "=")
		said[name] = value
	}
	return said
}

// wants waits for the message that has an assignment; only feedings of the watchdog may come before.
func (m *manager) wants(name string) map[string]string {
	m.Helper()
	for {
		said := m.hears()
		if said[name] == "1" {
			return said
		}
		if said["WATCHDOG"] != "1" {
			m.Fatalf("%v comes before %s", said, name)
		}
	}
}

func TestServiceManagerIsTold(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control")
	path := conf(t, fmt.Sprintf("control = %q", socket))
	m := newManager(t)
	p := m.starts("", "-c", path)
	if said := m.wants("READY"); said["STATUS"] != "running 1 stack" {
		t.Errorf("the status is %v", said)
	}
	// It answers as soon as it is ready: ExecReload would fail otherwise.
	edit(t, path, `stack = "g:GEN,n:NULL"`, `stack = ["g:GEN,n:NULL", "g:GEN,more:NULL"]`)
	before := monotonic(t)
	ulogd(t, "reload", "-c", path).exits(0)
	said := m.wants("RELOADING")
	if at, err := strconv.ParseInt(said["MONOTONIC_USEC"], 10, 64); err != nil || at < before || at > monotonic(t) {
		t.Errorf("reloading at %q, which was after %d", said["MONOTONIC_USEC"], before)
	}
	if said := m.wants("READY"); said["STATUS"] != "running 2 stacks" {
		t.Errorf("after the reload the status is %v", said)
	}
	// One that fails leaves a daemon that is ready; one that only looks is none.
	ulogd(t, "reload", "--dry-run", "-c", path).exits(0)
	edit(t, path, `more:NULL`, "more:NOLL")
	ulogd(t, "reload", "-c", path).exits(1)
	m.wants("RELOADING")
	m.wants("READY")
	p.signal(syscall.SIGHUP)
	m.wants("RELOADING")
	m.wants("READY")
	p.signal(syscall.SIGTERM)
	m.wants("STOPPING")
	p.ends(0)
}

// monotonic is the clock of MONOTONIC_USEC.
func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / 1000
}

// edit replaces text in a file.
func edit(t *testing.T, path, from, to string) {
	t.Helper()
	text := read(t, path)
	if !strings.Contains(text, from) {
		t.Fatalf("%s has no %q", path, from)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(text, from, to, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestServiceThatDoesNotStart(t *testing.T) {
	m := newManager(t)
	p := m.starts("", "-c", file(t, "x.toml", `stack = "g:GEN,p:PRINT"
[p]
file = "/nowhere/x"
`))
	p.ends(1)
	m.l.SetReadDeadline(time.Now())
	if n, err := m.l.Read(make([]byte, 100)); err == nil {
		t.Errorf("a daemon that did not start says %d octets", n)
	}
}

func TestServiceThatEndsByItself(t *testing.T) {
	m := newManager(t)
	p := m.starts("", "-c", file(t, "x.toml", `stack = "g:GEN,n:NULL"
[g]
count = 10
`))
	m.wants("READY")
	m.wants("STOPPING")
	p.ends(0)
}

// The watchdog is fed four times in its time, as long as the daemon turns.
func TestWatchdog(t *testing.T) {
	m := newManager(t)
	p := m.starts("200000", "-c", conf(t, ""))
	m.wants("READY")
	for range 10 {
		m.wants("WATCHDOG")
	}
	p.signal(syscall.SIGTERM)
	m.wants("STOPPING")
	p.ends(0)
	// A watchdog of another process is none of the daemon's business.
	p = m.starts("200000", "-c", conf(t, ""))
	m.wants("READY")
	m.wants("WATCHDOG")
	p.signal(syscall.SIGKILL)
	<-p.done
	t.Setenv("WATCHDOG_USEC", "1000")
	t.Setenv("WATCHDOG_PID", "1")
	q := newManager(t)
	p = q.starts("", "-c", conf(t, ""))
	q.wants("READY")
	p.signal(syscall.SIGHUP)
	for _, want := range []string{"RELOADING", "READY"} {
		if said := q.hears(); said[want] != "1" {
			t.Errorf("%v instead of %s", said, want)
		}
	}
}

func TestServiceManagerThatIsNotThere(t *testing.T) {
	c := exec.Command(binary, "-c", conf(t, ""))
	c.Env = append(os.Environ(), "NOTIFY_SOCKET=/nowhere/notify")
	p := startAs(t, c).up()
	p.logs("the service manager cannot be told how the daemon is .*/nowhere/notify")
	p.signal(syscall.SIGTERM)
	p.ends(0)
}
