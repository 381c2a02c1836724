// Programs that run inside a namespace.

package nstest

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Cmd prepares a program that will run inside the namespace, as the process that Start returns (`ip
// netns exec` replaces itself). The command is split at blanks; args follow it as they are.
func (ns *NS) Cmd(command string, args ...string) *exec.Cmd {
	words := append([]string{"netns", "exec", ns.name}, strings.Fields(command)...)
	cmd := exec.Command("ip", append(words, args...)...)
	cmd.WaitDelay = 5 * time.Second // a grandchild that keeps the output open does not keep the test
	return cmd
}

// Run runs a program inside the namespace and returns its standard output. The test fails unless it
// exits with 0.
func (ns *NS) Run(t testing.TB, command string, args ...string) string {
	t.Helper()
	return output(t, ns.Cmd(command, args...))
}

func output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.String()
}

// Proc is a program running inside a namespace until the test ends or Stop is called.
type Proc struct {
	t      testing.TB
	cmd    *exec.Cmd
	output lockedBuffer
	ended  chan struct{} // closed once cmd.Wait has returned
}

// Start starts a program inside the namespace. When the test ends it is killed, with the processes
// it started; if the test failed, the end of its output is logged.
func (ns *NS) Start(t testing.TB, command string, args ...string) *Proc {
	t.Helper()
	p := &Proc{t: t, cmd: ns.Cmd(command, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait() // its result is in ProcessState
		close(p.ended)
	}()
	t.Cleanup(func() {
		syscall.Kill(-p.PID(), syscall.SIGKILL) // the whole group; it may have ended by itself
		<-p.ended
		if t.Failed() {
			t.Logf("%s: %v\n%s", p.cmd, p.cmd.ProcessState, p.lastWords())
		}
	})
	return p
}

// PID is the process id of the program.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Output is everything that the program has written so far to its standard output and error.
func (p *Proc) Output() string { return p.output.String() }

// WaitOutput waits until the output matches the regular expression and returns the match and its
// groups. It fails the test when the time is over, or when the program has ended without such
// output.
func (p *Proc) WaitOutput(expr string, timeout time.Duration) []string {
	p.t.Helper()
	re := regexp.MustCompile(expr)
	deadline := time.Now().Add(timeout)
	for {
		ended := p.hasEnded() // before looking, so that last words are seen
		if match := re.FindStringSubmatch(p.Output()); match != nil {
			return match
		}
		if ended {
			p.t.Fatalf("%s ended (%v) without output like %q:\n%s", p.cmd, p.cmd.ProcessState, expr, p.lastWords())
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: no output like %q in %v:\n%s", p.cmd, expr, timeout, p.lastWords())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Signal sends a signal to the program.
func (p *Proc) Signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("send %v to %s: %v", sig, p.cmd, err)
	}
}

// Wait waits for the program to end and returns how it ended: exit code, CPU time, peak memory.
func (p *Proc) Wait(timeout time.Duration) *os.ProcessState {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(timeout):
		p.t.Fatalf("%s has not ended in %v:\n%s", p.cmd, timeout, p.lastWords())
	}
	return p.cmd.ProcessState
}

// Stop sends a signal to the program and waits for its end, for 20 s at most.
func (p *Proc) Stop(sig os.Signal) *os.ProcessState {
	p.t.Helper()
	p.Signal(sig)
	return p.Wait(time.Minute)
}

// lastWords is the end of the output, short enough for the report of a failure.
func (p *Proc) lastWords() string {
	const enough = 4 << 10
	out := p.Output()
	if len(out) <= enough {
		return out
	}
	return "[...] " + out[len(out)-enough:]
}

func (p *Proc) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// lockedBuffer is written by the goroutine that reads the program's pipe, and read by the test.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
