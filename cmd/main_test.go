// What users see: these tests run the program as it is built.

package cmd_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// binary is the program, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ulogd-cmd-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		os.Chmod(dir, 0o755) // -u: the program is also run by others
		if binary, err = nstest.BuildDaemon(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// result is how a run ended.
type result struct {
	t              *testing.T
	args           string
	code           int
	stdout, stderr string
}

// ulogd runs the program to its end.
func ulogd(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, exec.Command(binary, args...))
}

func finish(t *testing.T, c *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{t, strings.Join(c.Args[1:], " "), c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// exits checks the exit code.
func (r result) exits(code int) result {
	r.t.Helper()
	if r.code != code {
		r.t.Errorf("ulogd %s: exit code %d, want %d\n%s%s", r.args, r.code, code, r.stdout, r.stderr)
	}
	return r
}

// says checks that standard output or error has each of the texts.
func (r result) says(texts ...string) result {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			r.t.Errorf("ulogd %s does not say %q:\n%s%s", r.args, text, r.stdout, r.stderr)
		}
	}
	return r
}

// file writes a file of the test's own and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// read returns a file's content; "" while there is none.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// running is the program in the foreground, until it ends by itself or the test does.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr string // path of the file that takes standard error
	done   chan struct{}
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	return startAs(t, exec.Command(binary, args...))
}

// startAs starts the program with an environment of the test's own.
func startAs(t *testing.T, c *exec.Cmd) *running {
	t.Helper()
	p := &running{t: t, cmd: c, stderr: filepath.Join(t.TempDir(), "stderr"), done: make(chan struct{})}
	f, err := os.Create(p.stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p.cmd.Stderr = f
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait() // its result is in ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

// up waits until the daemon runs; it must log at level 3.
func (p *running) up() *running {
	p.t.Helper()
	p.logs("entering main loop")
	return p
}

// logs waits until standard error matches an expression.
func (p *running) logs(expr string) {
	p.t.Helper()
	re := regexp.MustCompile(expr)
	eventually(p.t, func() error {
		if text := read(p.t, p.stderr); !re.MatchString(text) {
			return fmt.Errorf("nothing like %q in the log:\n%s", expr, text)
		}
		return nil
	})
}

func (p *running) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// ends waits for the end and checks the exit code.
func (p *running) ends(code int) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		p.t.Fatalf("does not end:\n%s", read(p.t, p.stderr))
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d (%v), want %d\n%s", got, p.cmd.ProcessState, code, read(p.t, p.stderr))
	}
}

// eventually calls check until it returns nil.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// background runs the program with -d -p and returns the daemon's process number. It is stopped when the test ends.
func background(t *testing.T, pidfile string, args ...string) int {
	t.Helper()
	nstest.Need(t, "native") // -d starts the program anew, which the kernel cannot do with what is emulated
	ulogd(t, append([]string{"-d", "-p", pidfile}, args...)...).exits(0)
	pid, err := strconv.Atoi(strings.TrimSpace(read(t, pidfile)))
	if err != nil {
		t.Fatal("the pid file: ", err)
	}
	t.Cleanup(func() {
		syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		gone(t, pid)
	})
	return pid
}

// gone waits until a process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, func() error {
		status := read(t, fmt.Sprintf("/proc/%d/status", pid))
		if status != "" && !strings.Contains(status, "State:\tZ") {
			return fmt.Errorf("process %d lives on", pid)
		}
		return nil
	})
}

// userNobody is whom the daemon becomes with -u.
func userNobody(t *testing.T) *user.User {
	t.Helper()
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	return nobody
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if os.Getenv("ULOGD_KERNEL_TESTS") == "require" {
		t.Fatal("needs root (ULOGD_KERNEL_TESTS=require forbids skipping)")
	}
	t.Skip("needs root")
}
