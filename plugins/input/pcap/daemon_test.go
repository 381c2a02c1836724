package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
	pt "ulogd/test/packettest"
)

// What users see: the program as it is built.

// built is the daemon.
var built nstest.Daemon

func TestMain(m *testing.M) { os.Exit(built.Main(m)) }

// toSums is a configuration that writes flows to out.
func toSums(t *testing.T, files, out string) (config string) {
	t.Helper()
	return writeFile(t, "ulogd.toml", fmt.Appendf(nil, `
[global]
stack = "in:PCAP,base:BASE,flow:FLOW,out:JSON"
[in]
file = %q
[out]
keys = "orig.raw.pktcount"
file = %q
`, files, out))
}

// sum adds up the packets of the flows that the daemon has written.
func sum(out []byte) (packets int64) {
	for _, m := range regexp.MustCompile(`"orig\.raw\.pktcount": ?(\d+)`).FindAllSubmatch(out, -1) {
		n, _ := strconv.ParseInt(string(m[1]), 10, 64)
		packets += n
	}
	return packets
}

func TestStandardInput(t *testing.T) {
	content, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	daemon, config := built.Path(t), toSums(t, "-", "/dev/stdout")
	for name, stdin := range map[string]io.Reader{"whole": bytes.NewReader(content), "cut": bytes.NewReader(content[:len(content)-1])} {
		cmd := exec.Command(daemon, "-c", config)
		cmd.Stdin = stdin
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, &stderr)
		}
		want := int64(len(exampleTraffic()) - 2) // less an ARP exchange
		if name == "cut" {
			want--
		}
		if got := sum(out); got != want {
			t.Errorf("%s: %d packets, want %d\n%s", name, got, want, &stderr)
		}
	}
}

// TestTerminatedInAPipe: a capture that has not begun yet does not hold up the end.
func TestTerminatedInAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cmd := exec.Command(built.Path(t), "-v", "-l", "3", "-c", toSums(t, "-", "/dev/stdout"))
	var stderr syncBuffer
	cmd.Stdin, cmd.Stderr = r, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	stderr.waitFor(t, "initialization finished")
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &stderr)
	}
}

// TestTerminatedInTheMiddleOfAFile: every packet that was read by then is in a flow that came out.
func TestTerminatedInTheMiddleOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	const n = 400_000
	if _, err := (pt.Trace{Packets: n, Flows: n / 8}).Write(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	flows := filepath.Join(t.TempDir(), "flows.json")
	config := toSums(t, path+strings.Repeat(","+path, 200), flows) // long enough for a signal to come in the middle
	cmd := exec.Command(built.Path(t), "-v", "-l", "3", "-c", config)
	var stderr syncBuffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stderr.waitFor(t, "initialization finished")
	time.Sleep(300 * time.Millisecond)
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &stderr)
	}
	made := regexp.MustCompile(`plugin=PCAP made=(\d+) out=`).FindStringSubmatch(stderr.String())
	if made == nil {
		t.Fatalf("the summary does not tell what was read:\n%s", &stderr)
	}
	read, _ := strconv.ParseInt(made[1], 10, 64)
	out, err := os.ReadFile(flows)
	if err != nil {
		t.Fatal(err)
	}
	if got := sum(out); got != read || read == 0 || read >= 201*n {
		t.Errorf("%d packets in flows, %d of %d were read\n%s", got, read, 201*n, &stderr)
	}
}

func TestProgressAtATerminal(t *testing.T) {
	content, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	terminal, end := openTerminal(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cmd := exec.Command(built.Path(t), "-c", toSums(t, "-", "/dev/stdout"))
	cmd.Stdin, cmd.Stderr = r, end
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	end.Close()
	var shown syncBuffer
	go io.Copy(&shown, terminal)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	shown.waitFor(t, fmt.Sprintf("\r-: %d packets, ", len(exampleTraffic())))
	w.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &shown)
	}
	shown.waitFor(t, "\r\x1b[K") // the line is cleared
}

// openTerminal opens a pseudo-terminal: the side of the person, and that of the program.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, program
}

func TestExitCodes(t *testing.T) {
	daemon := built.Path(t)
	garbage := writeFile(t, "b.pcap", []byte("GIF89a, and more than enough of it"))
	for files, want := range map[string]int{examplePath: 0, examplePath + "," + garbage: 1, garbage: 1} {
		absolute, err := filepath.Abs(examplePath)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(daemon, "-c", toSums(t, strings.Replace(files, examplePath, absolute, 1), "/dev/stdout")).CombinedOutput()
		var exit *exec.ExitError
		code := 0
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != want {
			t.Errorf("%s: exit code %d, want %d\n%s", files, code, want, out)
		}
	}
}

// syncBuffer is written by one goroutine and read by another.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *syncBuffer) waitFor(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(b.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %q in %q", text, b)
		}
	}
}
