package pcap

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
	pt "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// captureOf is a file of n packets, which begin at a second.
func captureOf(t *testing.T, second, n int) []byte {
	t.Helper()
	var packets []pt.Packet
	for i := range n {
		packets = append(packets, pt.Packet{
			Time: time.Unix(1714564800+int64(second), int64(i)*1000),
			Data: pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{Src: uint16(second), Dst: 53}),
		})
	}
	var b bytes.Buffer
	if err := pt.WritePcap(&b, pt.LinkEthernet, pt.Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// put writes a file, or makes it longer.
func put(t *testing.T, path string, content []byte) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err == nil {
		_, err = f.Write(content)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFollow lets files come in all the ways that they do: each is read once, when it is whole.
func TestFollow(t *testing.T) {
	dir, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	config := fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,out:RECORD"
[in]
file = %q
follow = true
follow_state = %q
[out]
name = %q
keys = "udp.sport"
`, dir, state, t.Name())
	var want []string
	in := func(name string) string { return filepath.Join(dir, name) }
	next := 0
	wait := func(d *stacktest.Daemon, second, n int) {
		t.Helper()
		next += n
		for range n {
			want = append(want, fmt.Sprint("udp.sport=", second))
		}
		d.Eventually(fmt.Sprint("the packets of ", second), func() bool { return int(d.Stats("out").Out) >= next })
	}

	// Two are there, the one with the later name is the older; one is being written.
	put(t, in("a10"), captureOf(t, 10, 3)).Close()
	put(t, in("a9"), captureOf(t, 20, 4)).Close()
	growing := put(t, in("a8"), captureOf(t, 5, 2)[:50])
	d := stacktest.Start(t, config)
	wait(d, 10, 3)
	wait(d, 20, 4)
	put(t, in("b"), captureOf(t, 30, 5)).Close()
	wait(d, 30, 5)
	growing.Write(captureOf(t, 5, 2)[50:])
	growing.Close()
	wait(d, 5, 2)
	// One is moved there from a name that is not whole, one is empty at first, one has an old name.
	put(t, in(".b2.part"), captureOf(t, 40, 6)).Close()
	put(t, in("empty"), nil).Close()
	put(t, in("c"), captureOf(t, 50, 1)).Close()
	wait(d, 50, 1)
	os.Rename(in(".b2.part"), in("b2"))
	wait(d, 40, 6)
	put(t, in("empty"), captureOf(t, 60, 2)).Close()
	wait(d, 60, 2)
	os.WriteFile(in("b"), captureOf(t, 70, 5), 0o644)
	wait(d, 70, 5)
	// One is no capture, one is moved while somebody still writes it.
	put(t, in("readme"), []byte("GIF89a, and more than enough of it")).Close()
	moved := put(t, in(".moved"), captureOf(t, 80, 2)[:60])
	os.Rename(in(".moved"), in("moved"))
	put(t, in("d"), captureOf(t, 90, 1)).Close()
	wait(d, 90, 1)
	d.Eventually("what is no capture is counted", func() bool { return d.Count("in", "unreadable_files") == 1 })
	moved.Write(captureOf(t, 80, 2)[60:])
	moved.Close()
	wait(d, 80, 2)
	if n := d.Count("in", "files"); n != 10 {
		t.Errorf("%d files are counted, want 10", n)
	}
	d.Stop()

	// The next run goes on where this one was.
	put(t, in("e"), captureOf(t, 100, 3)).Close()
	os.Remove(in("a10"))
	d = stacktest.Start(t, config)
	next = 0
	wait(d, 100, 3)
	d.Stop()
	if got := stacktest.Recorded(t.Name()); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

// A followed directory that is not there is most likely wrong, or made later.
func TestFollowWaitsForTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "captures", "today")
	config := fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
file = %q
follow = true
`, filepath.Join(dir, "*.pcap"))
	if err := stacktest.Plan(t, "test.toml", config, &stacktest.Log{}).Machine.Open(); err == nil {
		t.Error("it does without a word")
	}
	d := stacktest.Start(t, config+"wait = true\n")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "a.txt"), captureOf(t, 1, 7)).Close() // not in the glob
	put(t, filepath.Join(dir, "a.pcap"), captureOf(t, 2, 3)).Close()
	d.Eventually("the file is read", func() bool { return d.Stats("in").Out == 3 })
	d.Stop()
}

// A state that is not ours is not written over.
func TestFollowStateOfSomebodyElse(t *testing.T) {
	state := writeFile(t, "state", []byte("root:x:0:0\n"))
	config := fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
file = %q
follow = true
follow_state = %q
`, t.TempDir(), state)
	err := stacktest.Plan(t, "test.toml", config, &stacktest.Log{}).Machine.Open()
	if want := state + ":1: is no line of size, time and quoted path"; err == nil ||
		!bytes.Contains([]byte(err.Error()), []byte(want)) {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestFollowTcpdump has tcpdump fill a directory of which the daemon reads the files, as root and as
// a user who cannot ask the kernel who writes them, across SIGHUP and a restart. Each packet comes
// out once.
func TestFollowTcpdump(t *testing.T) {
	nstest.Need(t, "root", "veth", "tool:tcpdump")
	for _, user := range []string{"", "nobody"} {
		t.Run("user="+user, func(t *testing.T) {
			a, b := cable(t)
			dir, err := os.MkdirTemp("", "ulogd-follow")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			captures := filepath.Join(dir, "captures")
			if err := os.Mkdir(captures, 0o755); err != nil {
				t.Fatal(err)
			}
			os.Chmod(dir, 0o777)
			out := filepath.Join(dir, "out")
			config := filepath.Join(dir, "f.toml")
			text := fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,out:JSON"
[in]
file = %q
follow = true
follow_state = %q
[out]
keys = ["udp.sport"]
file = %q
sync = true
`, filepath.Join(captures, "live.pcap*"), filepath.Join(dir, "state"), out)
			if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			start := func() (*exec.Cmd, *syncBuffer) {
				args := []string{"-v", "-l", "3", "-c", config}
				if user != "" {
					args = append(args, "-u", user)
				}
				cmd, stderr := exec.Command(built.Path(t), args...), &syncBuffer{}
				cmd.Stderr = stderr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				stderr.waitFor(t, "initialization finished")
				return cmd, stderr
			}
			stop := func(cmd *exec.Cmd, stderr *syncBuffer) {
				cmd.Process.Signal(syscall.SIGTERM)
				if err := cmd.Wait(); err != nil {
					t.Errorf("%v\n%s", err, stderr)
				}
			}
			ports := func() (list []int) {
				content, _ := os.ReadFile(out)
				for _, m := range regexp.MustCompile(`"src_port": ?(\d+)`).FindAllSubmatch(content, -1) {
					n, _ := strconv.Atoi(string(m[1]))
					list = append(list, n)
				}
				return list
			}
			cmd, stderr := start()
			defer func() { cmd.Process.Kill() }()
			dump := b.Start(t, "tcpdump", "-i", "vb", "-U", "-B", "65536", "-C", "1", "-Z", "root", "-w",
				filepath.Join(captures, "live.pcap"), "udp port 9999")
			dump.WaitOutput("listening on", time.Minute)
			send := wire(t, a, "va")
			const rounds, each = 3, 1000 // each 1.4 MB
			for round := range rounds {
				for i := range each {
					send(pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{Src: uint16(round*each + i + 1), Dst: 9999}, pt.Zeros(1360)))
				}
				nstest.Eventually(t, time.Minute, func() error {
					if n := len(ports()); n < (round+1)*each*6/10 { // what tcpdump has open is to come
						return fmt.Errorf("%d packets in round %d\n%s", n, round, stderr)
					}
					return nil
				})
				cmd.Process.Signal(syscall.SIGHUP)
			}
			dump.Stop(syscall.SIGTERM)
			words := regexp.MustCompile(`(\d+) packets captured`).FindStringSubmatch(dump.Output())
			if words == nil {
				t.Fatal(dump.Output())
			}
			captured, _ := strconv.Atoi(words[1])
			nstest.Eventually(t, time.Minute, func() error {
				if n := len(ports()); n != captured {
					return fmt.Errorf("%d packets, tcpdump captured %d\n%s", n, captured, stderr)
				}
				return nil
			})
			stop(cmd, stderr)
			cmd, stderr = start()
			put(t, filepath.Join(captures, "live.pcap9"), captureOf(t, 5000, 7)).Close()
			nstest.Eventually(t, time.Minute, func() error {
				if list := ports(); len(list) < captured+7 || list[len(list)-1] != 5000 {
					return fmt.Errorf("%d packets", len(list))
				}
				return nil
			})
			stop(cmd, stderr)
			list := ports()
			if len(list) != captured+7 || captured == 0 {
				t.Errorf("%d packets, want %d\n%s", len(list), captured+7, stderr)
			}
			for i := 1; i < captured; i++ {
				if list[i] <= list[i-1] {
					t.Fatalf("port %d follows %d", list[i], list[i-1])
				}
			}
			files, _ := os.ReadDir(captures)
			t.Logf("%d packets of %d files", len(list), len(files))
		})
	}
}
