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

// TestReplayedFlowsAreDatedByTheirEnd: JSON's time stamp of a flow of a file is when it ended, not the
// newest packet that was read by then.
func TestReplayedFlowsAreDatedByTheirEnd(t *testing.T) {
	absolute, err := filepath.Abs(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	config := toSums(t, absolute, "/dev/stdout")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	config = writeFile(t, "ends.toml", bytes.Replace(text, []byte(`keys = "orig.raw.pktcount"`),
		[]byte(`keys = "flow.end.sec"`), 1))
	cmd := exec.Command(built.Path(t), "-c", config)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`"timestamp": ?"([0-9T:-]+)[^"]*".*"flow\.end\.sec": ?(\d+)`).FindAllSubmatch(out, -1)
	if len(all) < 10 {
		t.Fatalf("%d flows in %s", len(all), out)
	}
	for _, m := range all {
		end, _ := strconv.ParseInt(string(m[2]), 10, 64)
		if want := time.Unix(end, 0).UTC().Format("2006-01-02T15:04:05"); string(m[1]) != want {
			t.Errorf("%s, ended at %s", m[1], want)
		}
	}
}

// TestSilentPipe: as of tcpdump -w - | ulogd, what a pipe told of now ends by the clock although
// nothing more comes.
func TestSilentPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	out := filepath.Join(t.TempDir(), "flows")
	config := toSums(t, "-", out)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	config = writeFile(t, "silent.toml", append(text, "sync = true\n[flow]\ninactive_timeout = 1\n"...))
	cmd := exec.Command(built.Path(t), "-c", config)
	var stderr syncBuffer
	cmd.Stdin, cmd.Stderr = r, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	var capture bytes.Buffer
	var packets []pt.Packet
	for i := range 7 {
		packets = append(packets, pt.Packet{Time: time.Now(), Data: pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{Src: uint16(i % 2), Dst: 53})})
	}
	if err := pt.WritePcap(&capture, pt.LinkEthernet, pt.Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(capture.Bytes()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		got, _ := os.ReadFile(out)
		if sum(got) == 7 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d packets in flows while the pipe is open\n%s", sum(got), &stderr)
		}
	}
	w.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &stderr)
	}
}

// TestRotatedCaptures: the files that tcpdump -C writes, pcap, pcap1 to pcap11, which do not sort
// as names. A glob takes them in the order of their packets, so that there is one flow and no step
// of time; a list is taken as it is.
func TestRotatedCaptures(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		var b bytes.Buffer
		var packets []pt.Packet
		for n := range 60 {
			at := time.Unix(1714564800+int64(i)*600+int64(n)*10, 0)
			packets = append(packets, pt.Packet{Time: at, Data: pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{Src: 1, Dst: 53})})
		}
		if err := pt.WritePcap(&b, pt.LinkEthernet, pt.Pcap{}, packets); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, "trace.pcap"+strings.TrimPrefix(strconv.Itoa(i), "0"))
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names, err := expand([]string{filepath.Join(dir, "trace.pcap*")})
	if err != nil || len(names) != 12 || filepath.Base(names[2]) != "trace.pcap2" || filepath.Base(names[11]) != "trace.pcap11" {
		t.Errorf("%v, %v", names, err)
	}
	flows := func(files string) (lines int, log string) {
		out := filepath.Join(t.TempDir(), "flows")
		var stderr bytes.Buffer
		cmd := exec.Command(built.Path(t), "-v", "-l", "3", "-c", toSums(t, files, out))
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, &stderr)
		}
		got, err := os.ReadFile(out)
		if err != nil || sum(got) != 720 {
			t.Errorf("%d packets in flows, %v", sum(got), err)
		}
		return bytes.Count(got, []byte("\n")), stderr.String()
	}
	// Two hours of packets ten seconds apart: four flows of half an hour, or five where one more
	// begins with the last seconds.
	if n, log := flows(filepath.Join(dir, "trace.pcap*")); n < 4 || n > 5 || strings.Contains(log, "time_steps=") && !strings.Contains(log, "time_steps=0") {
		t.Errorf("a glob: %d flows\n%s", n, log)
	}
	list := filepath.Join(dir, "trace.pcap2") + "," + filepath.Join(dir, "trace.pcap")
	for i := range 12 {
		if i != 2 && i != 0 {
			list += "," + filepath.Join(dir, "trace.pcap"+strconv.Itoa(i))
		}
	}
	if _, log := flows(list); !strings.Contains(log, "time_steps=1") {
		t.Errorf("a list: the step back is not counted\n%s", log)
	}
}

// TestInterfaceComesBackWithoutRoot: under -u the socket is kept and bound again, alone in its
// daemon, which goes on meanwhile.
func TestInterfaceComesBackWithoutRoot(t *testing.T) {
	a, b := cable(t)
	dir, err := os.MkdirTemp("", "ulogd-pcap-user")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "u.toml")
	out := filepath.Join(dir, "out")
	text := fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,out:JSON"
[in]
network_namespace_path = %q
interface = "vb"
filter = "udp"
[out]
keys = "udp.dport"
file = %q
sync = true
`, b.Path(), out)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(built.Path(t), "-v", "-l", "3", "-u", "nobody", "-c", config)
	var stderr syncBuffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	stderr.waitFor(t, "initialization finished")
	for port := uint16(1001); port < 1003; port++ {
		if port > 1001 {
			b.Run(t, "ip link del vb")
			stderr.waitFor(t, "the interface is removed")
			nstest.Veth(t, a, b, "va", "192.0.2.1/24", "vb", "192.0.2.2/24")
			stderr.waitFor(t, "the interface is there")
		}
		send := wire(t, a, "va")
		want := []byte(strconv.Itoa(int(port)))
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			send(pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{Dst: port}, pt.Zeros(40)))
			if got, _ := os.ReadFile(out); bytes.Contains(got, want) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("nothing of port %d\n%s", port, &stderr)
			}
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &stderr)
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
