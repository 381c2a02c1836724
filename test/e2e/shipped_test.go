package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
)

// machine is a namespace in which the daemon runs as on a freshly installed machine: /var/log and
// /run are empty. They are mounts which nobody else sees, because `ip netns exec` makes a mount
// namespace.
type machine struct {
	*nstest.NS
	root string // what the daemon's paths are, seen from outside
}

// boot runs a shell script in the machine, once its folders are there. The machine lives as long as
// the test.
func boot(t *testing.T, script string, args ...string) *machine {
	t.Helper()
	nstest.Need(t, "root", "nft", "nflog", "nf_conntrack")
	ns := nstest.New(t)
	nstest.EnableConntrack(t, ns)
	ns.Nft(t, `table inet t { chain out { type filter hook output priority 0; udp dport 9 log prefix "zero " group 0; udp dport 10 meta mark set 1 log prefix "one " group 1; }; }`)
	script = "set -e\nmount -t tmpfs -o mode=755 none /var/log\nmount -t tmpfs none /run\n" + script + "\necho up; exec sleep 1000"
	p := ns.Start(t, "sh -c", append([]string{script}, args...)...)
	p.WaitOutput("up\n", time.Minute)
	return &machine{ns, fmt.Sprintf("/proc/%d/root", p.PID())}
}

// pid waits for the pid file and returns the daemon's.
func (m *machine) pid(t *testing.T, file string) (pid int) {
	t.Helper()
	nstest.Eventually(t, time.Minute, func() error {
		text, err := os.ReadFile(m.root + file)
		if err != nil {
			return err
		}
		_, err = fmt.Sscan(string(text), &pid)
		return err
	})
	return pid
}

// send sends a datagram to a port of the loopback.
func (m *machine) send(t *testing.T, port int) {
	t.Helper()
	m.Do(t, func() {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err != nil {
			t.Fatal(err)
		}
	})
}

// has waits until a file contains text.
func (m *machine) has(t *testing.T, file, text string) {
	t.Helper()
	nstest.Eventually(t, time.Minute, func() error {
		content, err := os.ReadFile(m.root + file)
		if err == nil && !strings.Contains(string(content), text) {
			err = fmt.Errorf("%s has no %q: %q", file, text, content)
		}
		return err
	})
}

// TestDebiansConfiguration runs the daemon as Debian's unit does, with the file that its package
// installs: nothing is changed, not even the path.
func TestDebiansConfiguration(t *testing.T) {
	nstest.Need(t, "tool:/usr/sbin/ulogd")
	if _, err := os.Stat("/etc/ulogd.conf"); err != nil {
		t.Fatalf("the package's file: %v", err)
	}
	if err := os.Chmod(filepath.Dir(daemon), 0o755); err != nil { // the user ulog starts it
		t.Fatal(err)
	}
	m := boot(t, `install -d -o ulog -g adm /var/log/ulog; install -d -o ulog /run/ulog; "$0" --daemon --uid ulog --pidfile /run/ulog/ulogd.pid`, daemon)
	pid := m.pid(t, "/run/ulog/ulogd.pid")
	if a, err := unix.SchedGetAttr(pid, 0); err != nil || a.Policy != unix.SCHED_NORMAL {
		t.Errorf("scheduled by %+v, %v", a, err)
	}
	m.send(t, 9)
	m.has(t, "/var/log/ulog/syslogemu.log", " zero  IN= OUT=lo MAC= SRC=127.0.0.1 DST=127.0.0.1 LEN=33 ")
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, time.Minute, func() error {
		if syscall.Kill(pid, 0) == nil {
			return fmt.Errorf("process %d has not ended", pid)
		}
		return nil
	})
}

// TestEveryStackOfDebiansConfiguration takes the comment signs away: what is refused is refused
// with the reason, and nothing else is.
func TestEveryStackOfDebiansConfiguration(t *testing.T) {
	nstest.Need(t, "tool:/usr/sbin/ulogd")
	text, err := os.ReadFile("/etc/ulogd.conf")
	if err != nil {
		t.Fatal(err)
	}
	head, sections, _ := strings.Cut(string(text), "\n[ct1]")
	var stacks []string
	for line := range strings.Lines(head) {
		if stack, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "#"), "stack="); ok {
			stacks = append(stacks, stack)
		}
	}
	if len(stacks) < 20 {
		t.Fatalf("only %d stacks found", len(stacks))
	}
	for _, stack := range stacks {
		refused := ""
		if strings.Contains(stack, ":ULOG,") {
			refused = "NFLOG"
		}
		out, err := exec.Command(daemon, "-t", "-c", write(t, "ulogd.conf", "[global]\nstack="+stack+"\n[ct1]"+sections)).CombinedOutput()
		if refused == "" && err != nil || refused != "" && (err == nil || !strings.Contains(string(out), refused)) {
			t.Errorf("%s: %v\n%s", stack, err, out)
		}
	}
}

// TestRoutersConfiguration names its plugins by path and several filters by one id, and runs all
// stacks; those of databases wait for their servers and tables.
func TestRoutersConfiguration(t *testing.T) {
	config, err := filepath.Abs("testdata/openwrt.conf")
	if err != nil {
		t.Fatal(err)
	}
	m := boot(t, `"$0" -d -p /run/ulogd.pid -c "$1"`, daemon, config)
	m.pid(t, "/run/ulogd.pid")
	m.send(t, 9)
	m.send(t, 10)
	m.has(t, "/var/log/ulogd_syslogemu.log", " zero  IN= OUT=lo ")
	m.has(t, "/var/log/ulogd.json", `"oob.prefix": "one "`)
	m.has(t, "/var/log/ulogd.pcap", "hello")
	for _, why := range []string{"mysqld.sock: connect: ", "cannot connect; trying again", "there is no table ulog_ct"} {
		m.has(t, "/var/log/ulogd.log", why)
	}
	m.Run(t, "conntrack -D -p udp --orig-port-dst 10")
	for _, kind := range []string{"pkt", "flow"} {
		files, _ := filepath.Glob(m.root + "/var/log/ulogd-" + kind + "-*.xml")
		if len(files) != 1 {
			t.Fatalf("%d files of kind %s", len(files), kind)
		}
		m.has(t, strings.TrimPrefix(files[0], m.root), map[string]string{"pkt": "<prefix>one </prefix>", "flow": "<dport>10</dport>"}[kind])
	}
	m.has(t, "/var/log/ulogd_syslogemu.log", "[DESTROY] ORIG: SRC=127.0.0.1 DST=127.0.0.1 PROTO=UDP ")
	m.has(t, "/var/log/ulogd_nacct.log", "\t17\t127.0.0.1\t")
}
