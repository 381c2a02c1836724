// The control socket that is there without being asked for.

package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// runDir is where the program under test has its sockets, in place of /run/ulogd.
func runDir() string { return filepath.Join(filepath.Dir(binary), "run") }

// sockets lists what is in runDir.
func sockets(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(runDir())
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// alone removes what daemons of other tests, which were killed, have left.
func alone(t *testing.T) {
	t.Helper()
	needRoot(t)
	if err := os.RemoveAll(runDir()); err != nil {
		t.Fatal(err)
	}
}

func TestDefaultControlSocket(t *testing.T) {
	alone(t)
	ulogd(t, "stats").exits(1).says("no daemon answers: is one running?")
	first := conf(t, "")
	p := start(t, "-c", first).up()
	socket := filepath.Join(runDir(), "control.sock")
	if fi, err := os.Stat(socket); err != nil || fi.Mode().Type() != os.ModeSocket || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want a socket of mode 0600", fi, err)
	}
	ulogd(t, "stats").exits(0).says("GEN")
	ulogd(t, "stats", "--csv").exits(0).says("g,GEN,input,made,")
	// A second daemon does without the first one's path, and the commands ask which is meant.
	second := conf(t, "")
	q := start(t, "-v", "-c", second).up()
	theirs := filepath.Join(runDir(), fmt.Sprintf("control-%d.sock", q.cmd.Process.Pid))
	q.logs("<5> .* another daemon has the control socket; this one has its own beside it .*socket=" + theirs)
	q.logs("all is open, the stacks run stacks=1 control=" + theirs)
	ulogd(t, "stats").exits(1).says("2 daemons run; choose one with -c FILE or --socket PATH:\n",
		fmt.Sprintf("  %s  pid %d, configuration %s, since ", socket, p.cmd.Process.Pid, first),
		fmt.Sprintf("  %s  pid %d, configuration %s, since ", theirs, q.cmd.Process.Pid, second))
	ulogd(t, "flows", "-c", second).exits(1).says("no plugin of this daemon holds flows")
	ulogd(t, "stats", "-c", second).exits(0)
	ulogd(t, "stats", "--socket", socket).exits(0)
	p.signal(syscall.SIGTERM)
	p.ends(0)
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket is left behind")
	}
	ulogd(t, "stats").exits(0)
	// What a crash has left is in nobody's way.
	q.signal(syscall.SIGKILL)
	<-q.done
	start(t, "-c", first).up()
	if got := sockets(t); len(got) != 1 || got[0] != "control.sock" {
		t.Errorf("in %s there are %q", runDir(), got)
	}
	ulogd(t, "stats").exits(0)
}

func TestDaemonsThatStartAtOnceHaveASocketEach(t *testing.T) {
	alone(t)
	const n = 6
	var all []*running
	for range n {
		all = append(all, start(t, "-c", conf(t, "")))
	}
	for _, p := range all {
		p.up()
		ulogd(t, "stats", "-c", p.cmd.Args[2]).exits(0)
	}
	ulogd(t, "stats").exits(1).says(fmt.Sprintf("%d daemons run", n))
	if got := sockets(t); len(got) != n {
		t.Errorf("%q", got)
	}
}

// Files, stacks of the command line and who says so have none.
func TestNoControlSocket(t *testing.T) {
	alone(t)
	p := start(t, "-c", conf(t, "control = \"\"")).up()
	ulogd(t, "-c", file(t, "x.toml", "stack = \"g:GEN,n:NULL\"\n")).exits(0)
	q := start(t, "run", "-v", "GEN count=0 rate=100 | NULL").up()
	if got := sockets(t); len(got) != 0 {
		t.Errorf("%q", got)
	}
	for _, r := range []*running{p, q} {
		r.signal(syscall.SIGINT)
		r.ends(0)
	}
}

// With -u the user may ask, and at the end the socket is gone although root is not there any more to remove it.
func TestDefaultControlSocketOfAUser(t *testing.T) {
	alone(t)
	nobody := userNobody(t)
	uid, _ := strconv.ParseUint(nobody.Uid, 10, 32)
	p := start(t, "-u", "nobody", "-c", conf(t, "")).up()
	socket := filepath.Join(runDir(), "control.sock")
	fi, err := os.Stat(socket)
	if err != nil || uint64(fi.Sys().(*syscall.Stat_t).Uid) != uid || fi.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", fi, err)
	}
	asNobody := exec.Command(binary, "stats")
	asNobody.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	finish(t, asNobody).exits(0).says("GEN")
	ulogd(t, "stats").exits(0)
	p.signal(syscall.SIGTERM)
	p.ends(0)
	if got := sockets(t); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

// Without root the socket is in the user's own runtime directory.
func TestDefaultControlSocketWithoutRoot(t *testing.T) {
	alone(t)
	dir := t.TempDir()
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	for above := dir; above != "/tmp" && above != "/"; above = filepath.Dir(above) {
		os.Chmod(above, 0o755)
	}
	path := filepath.Join(dir, "x.toml")
	write(t, path, fmt.Sprintf(endless, ""))
	nobody := func(args ...string) *exec.Cmd {
		c := exec.Command(binary, args...)
		c.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return c
	}
	c := nobody("-c", path)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	eventually(t, func() error {
		if r := finish(t, nobody("stats")); r.code != 0 {
			return fmt.Errorf("%s", r.stderr)
		}
		return nil
	})
	if fi, err := os.Stat(filepath.Join(dir, "ulogd.sock")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
}

// A link in the place of the socket's directory is root's own doing, one within it somebody else's: it is not followed.
func TestDefaultControlSocketFollowsNoLink(t *testing.T) {
	alone(t)
	victim := file(t, "victim", "precious")
	if err := os.Mkdir(runDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(runDir(), "control.sock")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(runDir(), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	p := start(t, "-c", conf(t, "")).up() // it runs without
	p.logs("no control socket, so that `ulogd stats` and `ulogd flows` cannot ask this daemon")
	if read(t, victim) != "precious" {
		t.Error("the file is gone")
	}
	if fi, err := os.Lstat(filepath.Join(runDir(), "control.sock")); err != nil || fi.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link: %v, %v", fi, err)
	}
}

// The daemon of a file descriptor limit: it answers also when none is left, and goes on when there are some again.
func TestNoFileDescriptorLeft(t *testing.T) {
	alone(t)
	p := start(t, "-c", conf(t, "")).up()
	pid := p.cmd.Process.Pid
	limit := func(n int) {
		t.Helper()
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(n), Max: 4096}, nil); err != nil {
			t.Fatal(err)
		}
	}
	open := func() int {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := open()
	limit(before)
	for range 5 {
		ulogd(t, "stats").exits(0).says("GEN")
	}
	p.logs("the control socket takes no client; it is tried again .*too many open files")
	limit(4096)
	ulogd(t, "stats").exits(0).says("GEN")
	eventually(t, func() error {
		if now := open(); now != before {
			return fmt.Errorf("%d file descriptors, then %d", before, now)
		}
		return nil
	})
	if n := strings.Count(read(t, p.stderr), "takes no client"); n > 2 {
		t.Errorf("said %d times", n)
	}
}
