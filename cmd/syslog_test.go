package cmd_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// The program runs in a mount namespace of its own, where /run/syslog, and /dev/log if there is one, is this test's socket.
func TestSyslog(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "syslog"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const script = `mount --bind "$1" /run && { [ ! -e /dev/log ] || mount --bind "$1/syslog" /dev/log; } && shift && exec "$@"`
	inside := func(args ...string) *exec.Cmd {
		return exec.Command("unshare", append([]string{"-m", "sh", "-c", script, "sh", dir, binary}, args...)...)
	}
	lines := func(until string) string {
		t.Helper()
		var all strings.Builder
		buf := make([]byte, 4096)
		for !strings.Contains(all.String(), until) {
			n, err := l.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&all, strings.TrimSuffix(string(buf[:n]), "\n"))
		}
		return all.String()
	}
	// <priority> is 8 times the facility (daemon, 3) and the severity: 6 info, 5 notice, 3 err (RFC 3164 section 4.1.1).
	check := func(got string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !regexp.MustCompile(`(?m)^` + w + `$`).MatchString(got) {
				t.Errorf("no %q in\n%s", w, got)
			}
		}
	}
	r := finish(t, inside("-c", file(t, "x.conf", "loglevel=3\nlogfile=syslog\nnonsense=1\nstack=g:GEN,n:NULL\nstack=g:GEN,m:NUL\n"))).exits(0)
	check(lines("summary id=n"),
		`<30>.* ulogd\[\d+\]: ulogd Version .* \(re-\)starting`,
		`<29>.* ulogd\[\d+\]: .*:3: \[global\] nonsense: unknown option; .*`,
		`<27>.* ulogd\[\d+\]: .*:5: stack: there is no output plugin NUL; .*`,
		`<30>.* ulogd\[\d+\]: initialization finished, entering main loop`,
		`<29>.* ulogd\[\d+\]: summary id=g .*`)
	if strings.Contains(r.stderr, "<3>") || !strings.Contains(r.stderr, "<7>") {
		t.Errorf("on standard error there should be errors of the start alone:\n%s", r.stderr)
	}
	nstest.Need(t, "native") // for -d
	// -d logs to syslog unless told otherwise.
	finish(t, inside("-d", "-c", file(t, "x.toml", "loglevel=3\nstack = \"g:GEN,n:NULL\"\n"))).exits(0)
	check(lines("summary id=n"), `<30>.* ulogd\[\d+\]: initialization finished, entering main loop`)
	// Fatal is critical.
	finish(t, inside("-d", "-c", file(t, "x.toml", "loglevel=3\n"))).exits(1)
	check(lines("nothing was started"), `<26>.* ulogd\[\d+\]: .*nothing was started`)
}

// A machine without syslog runs the daemon all the same; the log is on standard error.
func TestNoSyslog(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if _, err := os.Stat("/dev/log"); err == nil {
		t.Skip("/dev/log cannot be hidden without hiding all of /dev")
	}
	const script = `mount --bind "$1" /run && shift && exec "$@"`
	config := file(t, "x.conf", "logfile=syslog\nloglevel=3\nstack=g:GEN,n:NULL\nstack=g:GEN,m:NUL\n")
	for _, flags := range []string{"-c", "-vc"} {
		r := finish(t, exec.Command("unshare", "-m", "sh", "-c", script, "sh", dir, binary, flags, config)).exits(0)
		for _, once := range []string{"initialization finished", "there is no output plugin NUL", "summary id=g"} {
			if n := strings.Count(r.stderr, once); n != 1 {
				t.Errorf("%s: %q is said %d times:\n%s", flags, once, n, r.stderr)
			}
		}
	}
}

// A syslogd that takes nothing any more stops nothing: not the records, not the signals, not the end.
func TestSyslogThatHangs(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "syslog")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(time.Second))
	for err == nil {
		_, err = c.Write([]byte("full"))
	}
	out := filepath.Join(t.TempDir(), "out")
	const script = `mount --bind "$1" /run && { [ ! -e /dev/log ] || mount --bind "$1/syslog" /dev/log; } && shift && exec "$@"`
	d := exec.Command("unshare", "-m", "sh", "-c", script, "sh", dir, binary, "-c", file(t, "x.toml", "logfile = \"syslog\"\n"+printing(out)))
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Wait() }()
	t.Cleanup(func() { d.Process.Kill() })
	grows(t, out)
	d.Process.Signal(syscall.SIGHUP)
	grows(t, out)
	d.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("SIGTERM has no effect")
	}
	whole(t, out)
}
