package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/test/nstest"
)

// flooded is a daemon that logs the packets of a flood to a file.
type flooded struct {
	ns            *nstest.NS
	shell         *nstest.Proc // that the daemon runs under
	config        string
	pidfile, root string // root is what its paths are, seen from outside
	sent          atomic.Int64
}

// startFlooded starts a daemon behind a shell script that can make mounts: nobody else sees them,
// because `ip netns exec` makes a mount namespace. The shell stays when the daemon has ended, and
// with it what is mounted.
func startFlooded(t *testing.T, o fileOutput, script, file, directory string, options ...string) *flooded {
	t.Helper()
	nstest.Need(t, "root", "nft", "nflog")
	dir := t.TempDir()
	f := &flooded{ns: nstest.New(t), pidfile: filepath.Join(dir, "pid")}
	f.ns.Nft(t, `table inet t {
		chain out { type filter hook output priority 0; udp dport 9 log prefix "flood " group 1; }
		chain in { type filter hook input priority 0; udp dport 9 drop; }
	}`)
	where := fmt.Sprintf("file=%q", file)
	if o.name == "XML" {
		where = fmt.Sprintf("directory=%q", directory)
	}
	f.config = write(t, "ulogd.conf", fmt.Sprintf(`[global]
control=%q
stack=log1:NFLOG,%s
[log1]
group=1
netlink_qtimeout=10
netlink_socket_buffer_size=%d
[out]
%s
%s
%s
`,
		filepath.Join(dir, "control"), o.stack, 64<<20, where, strings.Join(options, "\n"), o.options))
	f.shell = f.ns.Start(t, "sh -c", script+"\n"+`"$0" -v -l 3 -p "$1" -c "$2"; echo "ended with $?"; exec sleep 1000`, daemon, f.pidfile, f.config)
	f.shell.WaitOutput("initialization finished", time.Minute)
	f.root = fmt.Sprintf("/proc/%d/root", f.shell.PID())
	return f
}

// Packets of a flood are numbered by their destination: 127.0.1.0 has number 0, 127.0.1.1 number 1.
const firstDestination = 127<<24 | 1<<8

// send sends UDP packets of 33 octets to port 9 of the loopback, numbered from what is sent
// already, as fast as one processor can, until enough says so.
func (f *flooded) send(t *testing.T, enough func() bool) {
	f.ns.Do(t, func() {
		// Not connected: such a socket is not told that nobody listens.
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		payload := []byte("abcde")
		for !enough() {
			to := firstDestination + int(f.sent.Load())
			if err := unix.Sendto(fd, payload, 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{byte(to >> 24), byte(to >> 16), byte(to >> 8), byte(to)}}); err != nil {
				t.Errorf("send packet %d: %v", f.sent.Load(), err)
				return
			}
			f.sent.Add(1)
		}
	})
}

// sendMore sends n packets.
func (f *flooded) sendMore(t *testing.T, n int) {
	end := f.sent.Load() + int64(n)
	f.send(t, func() bool { return f.sent.Load() >= end })
}

// settle waits until every packet is logged, dropped or lost, and returns the output's counters.
func (f *flooded) settle(t *testing.T) (out engine.Snapshot) {
	t.Helper()
	nstest.Eventually(t, time.Minute, func() error {
		in := stats(t, f.config, "log1")
		out = stats(t, f.config, "out")
		if in.Made+in.Lost != f.sent.Load() || out.Out+out.Dropped+in.Lost != f.sent.Load() {
			return fmt.Errorf("of %d packets %d were read and %d lost, %d written and %d dropped", f.sent.Load(), in.Made, in.Lost, out.Out, out.Dropped)
		}
		return nil
	})
	return out
}

// signal sends a signal to the daemon.
func (f *flooded) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(f.pidfile)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	fmt.Sscan(string(text), &pid)
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// stop ends the daemon.
func (f *flooded) stop(t *testing.T) {
	t.Helper()
	f.signal(t, syscall.SIGTERM)
	if m := f.shell.WaitOutput(`ended with (\d+)`, time.Minute); m[1] != "0" {
		t.Errorf("exit code %s", m[1])
	}
}
