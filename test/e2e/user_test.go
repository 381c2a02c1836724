package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/test/nstest"
)

const userConfig = `
control="DIR/control"
stack=ct1:NFCT,flows:GPRINT
stack=log1:NFLOG,packets:GPRINT
stack=log1:NFLOG,base1:BASE,ipfix1:IPFIX
stack=acct1:NFACCT,counters:GPRINT
[ct1]
network_namespace_path=NS
netlink_socket_buffer_size=20000
netlink_resync_timeout=1
[flows]
file=DIR/flows
[log1]
network_namespace_path=NS
group=7
[packets]
file=DIR/packets
sync=1
[ipfix1]
host=127.0.0.1
proto=udp
options_interval=1
[acct1]
network_namespace_path=NS
pollinterval=1
[counters]
file=DIR/counters
sync=1
`

// TestWithoutRoot runs inputs of another namespace as a user who may not enter it any more:
// overruns are made good, counters are read and zeroed, files are opened anew, and a collector
// learns the names of interfaces that come later.
func TestWithoutRoot(t *testing.T) {
	nstest.Need(t, "root", "nf_conntrack", "nflog", "tool:conntrack", "tool:nfacct")
	home, ns := nstest.New(t), nstest.New(t)
	nstest.EnableConntrack(t, ns)
	ns.Nft(t, "table inet watch { chain c { type filter hook input priority 0; udp dport 1001 log group 7; }; }")
	ns.Run(t, "nfacct add some")
	dir, err := os.MkdirTemp("", "ulogd-e2e-user")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	if err := os.Chown(dir, uid, -1); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "ulogd.conf")
	if err := os.WriteFile(config, []byte(strings.NewReplacer("DIR", dir, "NS", ns.Path()).Replace(userConfig)), 0o644); err != nil {
		t.Fatal(err)
	}
	var collector net.PacketConn
	home.Do(t, func() { collector, err = net.ListenPacket("udp", "127.0.0.1:4739") })
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	p := home.Start(t, daemon+" -v -l 3 -u nobody -c "+config)
	p.WaitOutput("initialization finished", time.Minute)

	const n = 20_000
	nstest.FillConntrack(t, ns, n)
	until := func(what string, ok func() bool) {
		t.Helper()
		nstest.Eventually(t, time.Minute, func() error {
			if !ok() {
				return fmt.Errorf("no %s\n%s", what, p.Output())
			}
			return nil
		})
	}
	counter := func(name string) (v int64) {
		for _, c := range stats(t, config, "ct1").Counters {
			if c.Name == name {
				v = c.Value
			}
		}
		return v
	}
	until("connections", func() bool { return counter("live") == n })
	p.Signal(syscall.SIGUSR2)
	until("counters of connections", func() bool { return stats(t, config, "ct1").Out == n })
	ns.Run(t, "conntrack -F")
	var s engine.Snapshot
	until("recovery", func() bool { s = stats(t, config, "ct1"); return s.Out+s.Lost == 2*n && counter("live") == 0 })
	if counter("recovered") == 0 || counter("failed_dumps") != 0 {
		t.Errorf("%d recovered, %d dumps failed\n%s", counter("recovered"), counter("failed_dumps"), p.Output())
	}

	ns.Run(t, "ip tuntap add dev made-later mode tun")
	until("name of an interface", func() bool {
		message := make([]byte, 1<<16)
		collector.SetReadDeadline(time.Now().Add(2 * time.Second))
		k, _, err := collector.ReadFrom(message)
		return err == nil && bytes.Contains(message[:k], []byte("made-later"))
	})

	packet := func() {
		ns.Do(t, func() {
			c, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.WriteTo([]byte{1}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1001})
		})
	}
	written := func(name string) bool {
		b, _ := os.ReadFile(filepath.Join(dir, name))
		return len(b) > 0
	}
	packet()
	until("packet", func() bool { return written("packets") })
	until("counter", func() bool { return written("counters") })
	for _, name := range []string{"flows", "packets", "counters"} {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, name+".1")); err != nil {
			t.Fatal(err)
		}
	}
	p.Signal(syscall.SIGHUP)
	until("counter in a new file", func() bool { return written("counters") })
	packet()
	until("packet in a new file", func() bool { return written("packets") })
	if state := p.Stop(syscall.SIGTERM); state.ExitCode() != 0 || strings.Contains(p.Output(), "<7>") {
		t.Errorf("exit code %d\n%s", state.ExitCode(), p.Output())
	}
}
