package cmd_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
)

// endless is a configuration that runs until it is stopped. Its %s is the rest of [global].
const endless = `
stack = "g:GEN,n:NULL"
loglevel = 3
%s
[g]
count = 0
rate = 1000
`

func conf(t *testing.T, global string) string {
	t.Helper()
	return file(t, "endless.toml", fmt.Sprintf(endless, global))
}

func TestFiniteInputsEndTheDaemon(t *testing.T) {
	r := ulogd(t, "-c", file(t, "x.toml", `stack = "g:GEN,p:PRINT"
[g]
count = 5000
`)).exits(0)
	if n := strings.Count(r.stdout, "orig.ip.saddr="); n != 5000 {
		t.Errorf("%d of 5000 records", n)
	}
	r.says("summary id=g plugin=GEN made=5000 out=5000", "summary id=p plugin=PRINT in=5000 out=5000")
}

func TestDroppedRecordsShowInTheExitCode(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ulogd(t, "-c", file(t, "x.toml", `stack = "g:GEN,p:PRINT"
[g]
count = 700
[p]
file = "`+fifo+"\"\n")).exits(3).
		says("the inputs ended, but records were dropped dropped=700", "no_reader=700")
}

func TestSIGTERMLetsOutWhatWasRead(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	p := start(t, "-c", file(t, "x.toml", `
stack = "g:GEN,p:PRINT"
loglevel = 3
[g]
count = 0
rate = 20000
[p]
file = "`+out+`"
`)).up()
	eventually(t, func() error {
		if !strings.Contains(read(t, out), "\n") {
			return fmt.Errorf("nothing is printed")
		}
		return nil
	})
	p.signal(syscall.SIGTERM)
	p.ends(0)
	p.logs("Terminal signal received, exiting")
	text := read(t, out)
	lines := strings.Count(text, "\n")
	p.logs(fmt.Sprintf(`id=g plugin=GEN made=%d out=%d `, lines, lines))
	if !strings.HasSuffix(text, "\n") {
		t.Error("the last line is torn")
	}
}

// stuck starts a daemon whose output waits for a FIFO that nobody reads, until the shutdown timeout, which is far away.
func stuck(t *testing.T) (p *running, r *os.File) {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	p = start(t, "-c", file(t, "x.toml", `
stack = "g:GEN,p:PRINT"
loglevel = 3
shutdown_timeout = 3600
[g]
count = 0
rate = 100000
[p]
file = "`+fifo+`"
keys = ["ct.id"]
`)).up()
	full(t, r)
	return p, r
}

func TestSecondSIGTERMEndsAtOnce(t *testing.T) {
	p, _ := stuck(t)
	p.signal(syscall.SIGTERM)
	p.logs("Terminal signal received, exiting")
	time.Sleep(1100 * time.Millisecond) // a second signal so soon is the same one
	p.signal(syscall.SIGTERM)
	p.ends(1)
	p.logs("second signal: ending at once")
}

// As timeout(1) does, and systemd with KillMode=mixed: the process and its group, one right after the other.
func TestTwoSIGTERMsAtOnceAreOne(t *testing.T) {
	p, r := stuck(t)
	p.signal(syscall.SIGTERM)
	p.logs("Terminal signal received, exiting")
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGINT)
	p.logs("a second signal so soon is taken for the same")
	lines := make(chan int)
	go func() {
		n := 0
		for in := bufio.NewScanner(r); in.Scan() && in.Text() != "end"; {
			n++
		}
		lines <- n
	}()
	p.ends(0)
	if _, err := r.WriteString("end\n"); err != nil {
		t.Fatal(err)
	}
	n := <-lines
	p.logs(fmt.Sprintf("id=p plugin=PRINT in=%d out=%d ", n, n))
}

func TestLogFile(t *testing.T) {
	log := filepath.Join(t.TempDir(), "ulogd.log")
	p := start(t, "-c", conf(t, "logfile = \""+log+"\""))
	entered := func() error {
		if !strings.Contains(read(t, log), "entering main loop") {
			return fmt.Errorf("the log: %s", read(t, log))
		}
		return nil
	}
	eventually(t, entered)
	line := regexp.MustCompile(`^[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d \d{4} <[13578]> [a-z0-9_]+\.go:\d+ .`)
	for l := range strings.Lines(read(t, log)) {
		if !line.MatchString(l) {
			t.Errorf("not ulogd2's format: %q", l)
		}
	}
	if first, _, _ := strings.Cut(read(t, log), "\n"); !strings.Contains(first, "<3>") || !strings.Contains(first, " ulogd Version ") || !strings.HasSuffix(first, " (re-)starting") {
		t.Errorf("the first line is %q", first)
	}
	// Rotated: what follows is in a new file.
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	eventually(t, func() error {
		if !strings.Contains(read(t, log+".1"), "signal received, calling pluginstances signal=hangup") {
			return fmt.Errorf("the old log: %s", read(t, log+".1"))
		}
		if _, err := os.Stat(log); err != nil {
			return err
		}
		return nil
	})
	p.signal(syscall.SIGTERM)
	p.ends(0)
	if text := read(t, log); !strings.Contains(text, "Terminal signal received, exiting") || !strings.Contains(text, "summary id=g") {
		t.Errorf("the new log: %s", text)
	}
	if text := read(t, p.stderr); text != "" {
		t.Errorf("on standard error without -v: %s", text)
	}
}

func TestLogFileThatCannotBeOpenedAgainStaysInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := start(t, "-v", "-c", conf(t, "logfile = \""+dir+"/ulogd.log\"")).up()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.logs("cannot open the log file anew; the old one stays in use")
	p.signal(syscall.SIGTERM)
	p.ends(0)
	if text := read(t, dir+".away/ulogd.log"); !strings.Contains(text, "stays in use") || !strings.Contains(text, "summary id=g") {
		t.Errorf("the log: %s", text)
	}
	if a, b := read(t, p.stderr), read(t, dir+".away/ulogd.log"); a != b {
		t.Errorf("-v copies every line; standard error has\n%s\nthe log\n%s", a, b)
	}
}

func TestUnwritableLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "ulogd.log")
	for _, flags := range [][]string{nil, {"-d"}} {
		if flags != nil {
			nstest.Need(t, "native") // for -d
		}
		ulogd(t, append(flags, "-c", conf(t, "logfile = \""+path+"\""))...).exits(2).says("can't open logfile '"+path+"'", "no such file or directory")
	}
}

func TestLogToStandardOutput(t *testing.T) {
	r := ulogd(t, "-c", file(t, "x.conf", "loglevel=3\nlogfile=stdout\nstack=g:GEN,n:NULL\n")).exits(0)
	if !strings.Contains(r.stdout, "entering main loop") || r.stderr != "" {
		t.Errorf("standard output:\n%s\nstandard error:\n%s", r.stdout, r.stderr)
	}
}

func TestLogLevels(t *testing.T) {
	path := file(t, "x.conf", "loglevel=7\nstack=g:GEN,n:NULL\nunknown=1\n")
	if r := ulogd(t, "-c", path).exits(0); r.stderr != "" {
		t.Errorf("at level 7:\n%s", r.stderr)
	}
	r := ulogd(t, "-l", "5", "-c", path).exits(0).says("<5>", ":3: [global] unknown: unknown option")
	if strings.Contains(r.stderr, "<3>") {
		t.Errorf("-l 5 lets through:\n%s", r.stderr)
	}
	ulogd(t, "-l", "3", "-c", path).exits(0).says("<3>", "entering main loop")
	if r := ulogd(t, "-l0", "-c", path).exits(0); r.stderr != "" { // 0 is "not given"
		t.Errorf("-l 0:\n%s", r.stderr)
	}
}

func TestSignalsThatOnlyInform(t *testing.T) {
	p := start(t, "-c", conf(t, "")).up()
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGHUP} {
		p.signal(s)
		p.logs(regexp.QuoteMeta("signal=\""+s.String()+"\"") + "|" + "signal=" + s.String() + "\n")
	}
	p.signal(syscall.SIGINT)
	p.ends(0)
}

// A pipe that is read slowly costs time, not records: `ulogd ... | less`.
func TestSlowReaderOfStandardOutput(t *testing.T) {
	c := exec.Command(binary, "-c", file(t, "x.toml", `stack = "g:GEN,p:PRINT"
[g]
count = 100000
[p]
keys = ["ct.id"]
`))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.Stdout = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	full(t, w)
	w.Close()
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(string(out), "ct.id="); n != 100000 {
		t.Errorf("%d of 100000 records", n)
	}
}

// full waits until a pipe takes no more.
func full(t *testing.T, w *os.File) {
	t.Helper()
	eventually(t, func() error {
		fds := []unix.PollFd{{Fd: int32(w.Fd()), Events: unix.POLLOUT}}
		if n, err := unix.Poll(fds, 0); err != nil || n > 0 {
			return fmt.Errorf("the pipe takes more (%v)", err)
		}
		return nil
	})
}

// blockedPipe is a pipe that takes no more.
func blockedPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil {
		_, err = w.Write(make([]byte, 4096))
	}
	full(t, w)
	return r, w
}

// printing is a configuration that writes many records into a file, and logs everything to standard error.
func printing(out string) string {
	return `
stack = "g:GEN,p:PRINT"
loglevel = "debug"
[g]
count = 0
rate = 20000
[p]
file = "` + out + `"
keys = ["ct.id"]
`
}

// whole checks that a file of PRINT has lines, and each of them whole.
func whole(t *testing.T, out string) {
	t.Helper()
	text := read(t, out)
	if lines := strings.Count(text, "ct.id="); lines < 1000 || lines != strings.Count(text, "\n") {
		t.Errorf("%d whole records, %d lines", lines, strings.Count(text, "\n"))
	}
}

// grows waits until a file has some records more.
func grows(t *testing.T, out string) {
	t.Helper()
	before := len(read(t, out))
	eventually(t, func() error {
		if now := len(read(t, out)); now < before+20000 {
			return fmt.Errorf("%d octets, then %d", before, now)
		}
		return nil
	})
}

// Nobody reads standard error, or its reader has gone: records flow, signals count, and the end is in order.
func TestLogThatNobodyReads(t *testing.T) {
	for name, gone := range map[string]bool{"stuck": false, "gone": true} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			r, w := blockedPipe(t)
			if gone {
				r.Close()
			}
			c := exec.Command(binary, "-c", file(t, "x.toml", printing(out)))
			c.Stderr = w
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- c.Wait() }()
			t.Cleanup(func() { c.Process.Kill() })
			grows(t, out)
			c.Process.Signal(syscall.SIGUSR1)
			c.Process.Signal(syscall.SIGHUP)
			grows(t, out)
			c.Process.Signal(syscall.SIGTERM)
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(time.Minute):
				t.Fatal("SIGTERM has no effect")
			}
			whole(t, out)
		})
	}
}
