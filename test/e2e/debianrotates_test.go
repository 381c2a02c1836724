// Debian's unit, its logrotate file and an IPFIX spool, over three rotations: nothing is lost, and
// what the daemon makes is the user's.

package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// spooled adds to Debian's stack one that exports the same packets.
const spooled = `[global]
logfile="/var/log/ulog/ulogd.log"
loglevel=3
stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU
stack=log1:NFLOG,base1:BASE,ipfix1:IPFIX
shutdown_timeout=1
[log1]
group=0
[emu1]
file="/var/log/ulog/syslogemu.log"
sync=1
[ipfix1]
host=127.0.0.1
spool=/run/ulog/spool
buffer=256KiB
reconnect_interval=1
`

// debianBoot is a machine with Debian's package installed and this daemon in the place of its own.
// The init script, which logrotate calls, is allowed to run.
const debianBoot = `mount --bind "$0" /usr/sbin/ulogd
[ ! -e /usr/sbin/policy-rc.d ] || mount --bind /bin/true /usr/sbin/policy-rc.d
install -d -o ulog -g adm /var/log/ulog; install -d -o ulog /run/ulog
/usr/sbin/ulogd --daemon --uid ulog --pidfile /run/ulog/ulogd.pid -c "$1"`

// sendFrom sends datagrams, each from a source address of its own.
func (m *machine) sendFrom(t *testing.T, first, n int) {
	t.Helper()
	m.Do(t, func() {
		for i := first; i < first+n; i++ {
			c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 1, byte(i>>8), byte(i))})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := c.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}); err != nil {
				t.Error(err)
			}
			c.Close()
		}
	})
}

// logged returns how often each source address is in the files of a log, packed or not.
func (m *machine) logged(t *testing.T, log string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	files, _ := filepath.Glob(m.root + log + "*")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(text))
			if err == nil {
				text, err = io.ReadAll(z)
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
		for line := range strings.Lines(string(text)) {
			seen[between(line+" ", "SRC=")]++
		}
	}
	return seen
}

func TestDebiansUnitAndLogrotateWithASpool(t *testing.T) {
	nstest.Need(t, "tool:/usr/sbin/ulogd", "tool:logrotate", "tool:nsenter")
	const rules = "/etc/logrotate.d/ulogd2"
	if _, err := os.Stat(rules); err != nil {
		t.Fatalf("the package's file: %v", err)
	}
	all := write(t, "logrotate.conf", "weekly\nrotate 4\ncreate\ninclude "+rules+"\n") // what the package leaves to the machine's own
	config := write(t, "ulogd.conf", spooled)
	for _, path := range []string{filepath.Dir(daemon), filepath.Dir(config), filepath.Dir(filepath.Dir(config))} { // the user ulog reads them
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m := boot(t, debianBoot, daemon, config)
	pid := m.pid(t, "/run/ulog/ulogd.pid")
	inside := fmt.Sprintf("nsenter --target %s --mount ", strings.Split(m.root, "/")[2])
	const each, log = 3000, "/var/log/ulog/syslogemu.log"
	sent := 0
	send := func() {
		m.sendFrom(t, sent, each)
		sent += each
		nstest.Eventually(t, time.Minute, func() error {
			if n := len(m.logged(t, log)); n < sent {
				return fmt.Errorf("%d of %d packets are logged", n, sent)
			}
			return nil
		})
	}
	send()
	for range 3 {
		m.Run(t, inside+"logrotate --force --state /run/state "+all)
		send() // and so there is a line in the new file
	}
	for address, n := range m.logged(t, log) {
		if n != 1 {
			t.Errorf("%s is logged %d times", address, n)
		}
	}
	for _, name := range []string{"", ".1", ".2.gz", ".3.gz"} {
		m.belongs(t, log+name)
	}
	m.belongs(t, "/var/log/ulog/ulogd.log")
	m.ends(t, pid)

	segments, _ := filepath.Glob(m.root + "/run/ulog/spool/*/*.spool")
	if len(segments) == 0 {
		t.Error("there is no spool")
	}
	for _, s := range append(segments, m.root+"/run/ulog/spool", m.root+"/run/ulog/spool/lock") {
		m.belongs(t, strings.TrimPrefix(s, m.root))
	}
	defer func() {
		if t.Failed() {
			said, _ := os.ReadFile(m.root + "/var/log/ulog/ulogd.log")
			t.Logf("the daemon said:\n%s", said)
		}
	}()
	// The collector comes, and the daemon is started anew.
	_, dir := startRecorder(t, m.NS, "127.0.0.1:4739")
	m.Run(t, inside+"/usr/sbin/ulogd --daemon --uid ulog --pidfile /run/ulog/ulogd.pid -c "+config)
	nstest.Eventually(t, time.Minute, func() error {
		if n := arrived(dir); n < sent {
			return fmt.Errorf("the collector has %d of %d packets", n, sent)
		}
		return nil
	})
	m.ends(t, m.pid(t, "/run/ulog/ulogd.pid"))
	said, err := os.ReadFile(m.root + "/var/log/ulog/ulogd.log")
	if err != nil || strings.Contains(string(said), "<7>") {
		t.Errorf("%v: the log has errors:\n%s", err, said)
	}
}

// arrived returns how many of sendFrom's addresses are in what a collector got.
func arrived(dir string) int {
	seen := map[[2]byte]bool{}
	files, _ := filepath.Glob(filepath.Join(dir, "session*"))
	for _, file := range files {
		b, _ := os.ReadFile(file) // what cannot be read is missing below
		for {
			_, rest, found := bytes.Cut(b, []byte{127, 1})
			if !found || len(rest) < 2 {
				break
			}
			seen[[2]byte(rest)] = true
			b = rest
		}
	}
	return len(seen)
}

// belongs checks that a file is the user's.
func (m *machine) belongs(t *testing.T, path string) {
	t.Helper()
	name := strings.TrimSpace(m.Run(t, "stat -c %U "+m.root+path))
	if name != "ulog" {
		t.Errorf("%s belongs to %s", path, name)
	}
}

// ends asks a daemon to end, and waits for it.
func (m *machine) ends(t *testing.T, pid int) {
	t.Helper()
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
