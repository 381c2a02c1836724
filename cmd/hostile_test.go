// What others put where the daemon, or a command, looks: it costs neither a hang nor the memory.

package cmd_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ulogd/test/nstest"
)

// A log file that is a FIFO without a reader stops nothing, at the start or at SIGHUP; who reads it later finds the lines.
func TestLogFileThatIsAFIFO(t *testing.T) {
	dir := t.TempDir()
	fifo, out := filepath.Join(dir, "log"), filepath.Join(dir, "out")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "-c", file(t, "x.toml", fmt.Sprintf("control = \"\"\nlogfile = %q\n%s", fifo, printing(out))))
	grows(t, out)
	p.signal(syscall.SIGHUP)
	grows(t, out)
	f, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); ; {
		if !s.Scan() {
			t.Fatalf("the log ends: %v", s.Err())
		}
		if strings.Contains(s.Text(), "entering main loop") {
			break
		}
	}
	p.signal(syscall.SIGTERM)
	p.ends(0)
}

// A key or a password that is a FIFO, or never ends, is an error that names it.
func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, "/dev/zero"} {
		ulogd(t, "-c", file(t, "x.toml", fmt.Sprintf(`
stack = "g:GEN,n:NULL"
http = "127.0.0.1:0"
http_token_file = %q
`, path))).exits(1).says("http_token_file: ")
		ulogd(t, "-c", file(t, "x.toml", fmt.Sprintf(`
stack = "g:GEN,n:NULL"
http = "127.0.0.1:0"
http_token_file = %q
http_cert = %q
http_key = %q
`, filepath.Join(dir, "token"), path, path))).exits(1).says("http_cert, http_key: ")
		ulogd(t, "run", "PCAP file="+dir+" follow=true follow_state="+path+" | NULL").exits(1).
			says("follow_state: open " + path + ": it is no regular file")
	}
}

// Whoever answers in a daemon's place gets neither the memory nor the time of who asks.
func TestAnswersWithoutEnd(t *testing.T) {
	nstest.Need(t, "native") // an emulator reserves all that 32 bits can address, more than the limit allows
	socket := filepath.Join(t.TempDir(), "control")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for block := make([]byte, 1<<20); err == nil; {
					_, err = c.Write(block)
				}
			}()
		}
	}()
	for _, command := range []string{"stats", "flows", "top", "reload"} {
		c := exec.Command("sh", "-c", "ulimit -v 4000000; exec \"$@\"", "sh", binary, command, "--socket", socket)
		finish(t, c).exits(1).says("the daemon did not answer")
	}
}
