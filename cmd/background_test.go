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
	"time"

	"ulogd/test/nstest"
)

func TestBackground(t *testing.T) {
	dir := t.TempDir()
	log, socket, pidfile := filepath.Join(dir, "log"), filepath.Join(dir, "control"), filepath.Join(dir, "pid")
	path := conf(t, fmt.Sprintf("logfile = %q\ncontrol = %q", log, socket))
	pid := background(t, pidfile, "-c", path)
	// It is reachable as soon as -d has returned.
	ulogd(t, "stats", "-c", path).exits(0).says("GEN")
	for name, want := range map[string]string{"cwd": "/", "fd/0": "/dev/null", "fd/1": "/dev/null", "fd/2": "/dev/null"} {
		if got, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name)); got != want {
			t.Errorf("%s is %s (%v), want %s", name, got, err, want)
		}
	}
	stat := strings.Fields(read(t, fmt.Sprintf("/proc/%d/stat", pid)))
	if session := stat[5]; session != strconv.Itoa(pid) {
		t.Errorf("it is in session %s, not in one of its own", session)
	}
	syscall.Kill(pid, syscall.SIGTERM)
	gone(t, pid)
	if text := read(t, log); !strings.Contains(text, "Terminal signal received") || !strings.Contains(text, "summary id=g") {
		t.Errorf("the log: %s", text)
	}
	for _, left := range []string{pidfile, socket} {
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s is left behind", left)
		}
	}
}

// Paths of the command line are the operator's; those in the configuration are relative to /.
func TestBackgroundWithRelativePaths(t *testing.T) {
	nstest.Need(t, "native") // for -d
	path := conf(t, "logfile = \"dev/null\"")
	dir := filepath.Dir(path)
	c := exec.Command(binary, "-d", "-p", "pid", "-c", filepath.Base(path))
	c.Dir = dir
	finish(t, c).exits(0)
	pid, err := strconv.Atoi(strings.TrimSpace(read(t, filepath.Join(dir, "pid"))))
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(pid, syscall.SIGTERM)
	gone(t, pid)
	if _, err := os.Stat(filepath.Join(dir, "pid")); err == nil {
		t.Error("the pid file is left behind")
	}
}

// The exit code of -d reports whether configuration and sockets are good, and standard error why not.
func TestBackgroundThatDoesNotStart(t *testing.T) {
	nstest.Need(t, "native") // for -d
	dir := t.TempDir()
	pidfile, log := filepath.Join(dir, "pid"), filepath.Join(dir, "log")
	for name, c := range map[string]struct{ text, want string }{
		"configuration": {"stack = \"g:GEN,n:NUL\"", "did you mean NULL?"},
		"file":          {"stack = \"g:GEN,p:PRINT\"\n[p]\nfile = \"/nowhere/x\"", "p:PRINT: open /nowhere/x: no such file or directory"},
		"control":       {"stack = \"g:GEN,n:NULL\"\ncontrol = \"/nowhere/x\"", "control socket: listen /nowhere/x"},
	} {
		t.Run(name, func(t *testing.T) {
			r := ulogd(t, "-d", "-p", pidfile, "-c", file(t, "x.toml", "logfile = \""+log+"\"\n"+c.text)).exits(1).says(c.want)
			if !strings.Contains(read(t, log), c.want) {
				t.Errorf("the log does not say it: %s", read(t, log))
			}
			if strings.Count(r.stderr, c.want) != 1 {
				t.Errorf("it is said more than once:\n%s", r.stderr)
			}
			if _, err := os.Stat(pidfile); err == nil {
				t.Error("the pid file is left behind")
			}
		})
	}
}

func TestVerboseInTheBackground(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	background(t, filepath.Join(t.TempDir(), "pid"), "-v", "-c", conf(t, "logfile = \""+log+"\""))
	if text := read(t, log); !strings.Contains(text, "<7>") || !strings.Contains(text, "-v has no effect with -d") {
		t.Errorf("the log: %s", text)
	}
}

func TestPidFile(t *testing.T) {
	pidfile := filepath.Join(t.TempDir(), "pid")
	p := start(t, "-p", pidfile, "-c", conf(t, "")).up()
	if got, want := read(t, pidfile), fmt.Sprintf("%d\n", p.cmd.Process.Pid); got != want {
		t.Errorf("the pid file says %q, want %q", got, want)
	}
	if fi, err := os.Stat(pidfile); err != nil || fi.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	for _, flag := range []string{"-p", "-dp"} {
		t.Run(flag, func(t *testing.T) {
			if flag == "-dp" {
				nstest.Need(t, "native")
			}
			ulogd(t, flag, pidfile, "-c", conf(t, "")).exits(1).says(fmt.Sprintf("another ulogd already running with pid %d (it holds %s)", p.cmd.Process.Pid, pidfile))
		})
	}
	// It is still locked, and its number still there.
	if got := read(t, pidfile); !strings.Contains(got, strconv.Itoa(p.cmd.Process.Pid)) {
		t.Errorf("the second daemon changed the pid file to %q", got)
	}
	// A crash leaves a stale file, which the next start takes over.
	p.signal(syscall.SIGKILL)
	<-p.done
	if read(t, pidfile) == "" {
		t.Fatal("no stale pid file to try")
	}
	q := start(t, "-p", pidfile, "-c", conf(t, "")).up()
	q.logs(fmt.Sprintf("<5> .* removing stale pidfile for pid %d", p.cmd.Process.Pid))
	if got, want := read(t, pidfile), fmt.Sprintf("%d\n", q.cmd.Process.Pid); got != want {
		t.Errorf("the pid file says %q, want %q", got, want)
	}
	q.signal(syscall.SIGTERM)
	q.ends(0)
	if _, err := os.Stat(pidfile); err == nil {
		t.Error("the pid file is left behind")
	}
	ulogd(t, "-p", "/nowhere/pid", "-c", conf(t, "")).exits(1).says("pid file: open /nowhere/pid: no such file or directory")
}

// What is wrong with sockets shows in the exit code of -d, too.
func TestSecondDaemonOnAGroup(t *testing.T) {
	nstest.Need(t, "nflog")
	ns := nstest.New(t)
	path := file(t, "x.conf", `loglevel=3
logfile=/dev/null
stack=l:NFLOG,n:NULL
[l]
group=9
`)
	first := ns.Start(t, binary+" -v -c "+path)
	first.WaitOutput("entering main loop", time.Minute)
	finish(t, ns.Cmd(binary+" -d -c "+path)).exits(1).says("l:NFLOG: ", "group 9", fmt.Sprintf("process %d (ulogd)", first.PID()))
}
