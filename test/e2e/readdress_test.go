// Outputs whose own address changes, as over PPP, by DHCP or with a new prefix, and names of log servers that lead
// elsewhere.

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
)

// receivers notes where datagrams to some ports come from.
type receivers struct {
	mu   sync.Mutex
	from map[string]map[netip.Addr]int // by port
}

// receive listens at ports of an address in a namespace until the test ends.
func receive(t *testing.T, ns *nstest.NS, address string, ports ...string) *receivers {
	t.Helper()
	r := &receivers{from: map[string]map[netip.Addr]int{}}
	for _, port := range ports {
		var c net.PacketConn
		ns.Do(t, func() {
			var err error
			c, err = new(net.ListenConfig).ListenPacket(context.Background(), "udp", net.JoinHostPort(address, port))
			if err != nil {
				t.Fatal(err)
			}
		})
		t.Cleanup(func() { c.Close() })
		roomy(t, c.(*net.UDPConn))
		r.from[port] = map[netip.Addr]int{}
		go func() {
			buf := make([]byte, 1<<16)
			for {
				_, at, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				r.mu.Lock()
				r.from[port][at.(*net.UDPAddr).AddrPort().Addr().Unmap()]++
				r.mu.Unlock()
			}
		}()
	}
	return r
}

// roomy gives a socket room for what comes at once: what had to wait is sent without a pause.
func roomy(t *testing.T, c *net.UDPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20) })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// forget forgets what has come.
func (r *receivers) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for port := range r.from {
		clear(r.from[port])
	}
}

// wait waits until something came to every port from an address.
func (r *receivers) wait(t *testing.T, d *nstest.Proc, from string) {
	t.Helper()
	nstest.Eventually(t, time.Minute, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for port, seen := range r.from {
			if seen[netip.MustParseAddr(from)] == 0 {
				return fmt.Errorf("nothing came to port %s from %s, but %v\n%s", port, from, seen, d.Output())
			}
		}
		return nil
	})
}

// everyDatagram has an output of each kind that sends datagrams: to ports 4739, 2055, 9995, 5514 and 5515 of a host.
func everyDatagram(t *testing.T, host, more string) string {
	to := "host = \"" + host + "\"\n" + more
	return write(t, "ulogd.toml", `
stack = ["gen:GEN,ipfix:IPFIX", "gen:GEN,v9:NETFLOW9", "gen:GEN,v5:NETFLOW5", "gen:GEN,json:JSON",
	"gen:GEN,text:IP2STR,print:PRINTFLOW,log:SYSLOG"]
[gen]
rate = 50
count = 1000000
[ipfix]
`+to+`proto = "udp"
flush_interval = 0.1
[v9]
`+to+`port = 2055
flush_interval = 0.1
[v5]
`+to+`port = 9995
flush_interval = 0.1
[json]
mode = "udp"
`+to+`port = "5514"
[log]
transport = "udp"
`+to+`port = "5515"
`)
}

var datagramPorts = []string{"4739", "2055", "9995", "5514", "5515"}

// TestOwnAddressChanges: what is sent leaves from the address that there is, also when that has become another one.
func TestOwnAddressChanges(t *testing.T) {
	const link = "link" // the interface is another one, its address the same
	for _, c := range []struct{ name, far, near, first, second, net, more string }{
		{"IPv4", "10.9.0.2/24", "10.9.0.2", "10.1.0.1", "10.2.0.1", "10.9.0.0/24", ""},
		{"IPv6", "fd09::2/64", "fd09::2", "fd01::1", "fd02::1", "fd09::/64", ""},
		{link, "10.9.0.2/24", "10.9.0.2", "10.1.0.1", "10.1.0.1", "10.9.0.0/24", "bind_device = \"wan\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			nstest.Need(t, "root", "veth")
			ns, far := nstest.New(t), nstest.New(t)
			nstest.Veth(t, ns, far, "wan", "", "b0", c.far)
			give := func(address string) {
				nodad := ""
				if c.name == "IPv6" {
					nodad = " nodad"
				}
				ns.Run(t, "ip address add "+address+" dev wan"+nodad)
				ns.Run(t, "ip route replace "+c.net+" dev wan src "+address)
				far.Run(t, "ip route replace "+address+" dev b0")
			}
			give(c.first)
			r := receive(t, far, c.near, datagramPorts...)
			d := ns.Start(t, daemon+" -v -l 3 -c "+everyDatagram(t, c.near, c.more))
			r.wait(t, d, c.first)
			if c.name == link {
				ns.Run(t, "ip link delete wan")
				nstest.Veth(t, ns, far, "wan", "", "b0", c.far)
				r.forget()
			} else {
				ns.Run(t, "ip address delete "+c.first+" dev wan")
			}
			time.Sleep(time.Second)
			give(c.second)
			r.wait(t, d, c.second)
			if state := d.Stop(syscall.SIGTERM); state.ExitCode() != 0 {
				t.Errorf("exit code %d\n%s", state.ExitCode(), d.Output())
			}
		})
	}
}

// TestLogServerMoves: JSON and SYSLOG over UDP follow a name that leads elsewhere, as exporters do, when the host of
// the first refuses.
func TestLogServerMoves(t *testing.T) {
	nstest.Need(t, "root")
	t.Parallel()
	ns := nstest.New(t)
	lead := leading(t, ns)
	lead("127.0.0.2") // where nobody listens
	after := receive(t, ns, "127.0.0.3", datagramPorts[3:]...)
	d := ns.Start(t, daemon+" -v -l 3 -c "+everyDatagram(t, "collector.test", ""))
	d.WaitOutput("records cannot be sent", time.Minute)
	lead("127.0.0.3")
	after.wait(t, d, "127.0.0.1")
	d.Stop(syscall.SIGTERM)
}

// TestLogDatagramsThatCannotBeSentWait: while a firewall's rule or want of a route keeps them back, datagrams of JSON
// and SYSLOG wait, and none is lost.
func TestLogDatagramsThatCannotBeSentWait(t *testing.T) {
	for _, c := range []struct{ name, close, open string }{
		{
			"forbidden", "nft add table ip deny { chain out { type filter hook output priority 0; meta l4proto udp drop; }; }",
			"nft delete table ip deny",
		},
		{"no route", "ip route delete 10.9.0.0/24", "ip route add 10.9.0.0/24 dev a0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			nstest.Need(t, "root", "veth", "tool:nft")
			ns, far := nstest.New(t), nstest.New(t)
			nstest.Veth(t, ns, far, "a0", "10.9.0.1/24", "b0", "10.9.0.2/24")
			r := receive(t, far, "10.9.0.2", datagramPorts[3:]...)
			const records = 500
			config := write(t, "ulogd.toml", fmt.Sprintf(`
stack = ["gen:GEN,json:JSON", "gen:GEN,text:IP2STR,print:PRINTFLOW,log:SYSLOG"]
[gen]
rate = 100
count = %d
[json]
mode = "udp"
host = "10.9.0.2"
port = "5514"
[log]
transport = "udp"
host = "10.9.0.2"
port = "5515"
`, records))
			d := ns.Start(t, daemon+" -v -l 3 -c "+config)
			r.wait(t, d, "10.9.0.1")
			ns.Run(t, c.close)
			time.Sleep(2 * time.Second)
			ns.Run(t, c.open)
			if st := d.Wait(time.Minute); st.ExitCode() != 0 {
				t.Errorf("exit code %d\n%s", st.ExitCode(), d.Output())
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			for port, seen := range r.from {
				if n := seen[netip.MustParseAddr("10.9.0.1")]; n != records {
					t.Errorf("%d of %d records came to port %s\n%s", n, records, port, d.Output())
				}
			}
		})
	}
}
