package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// TestLoggedPacketsToFlows has a router log the headers of what it forwards, and make flows of
// that: nfcapd and tshark count the packets and octets that nft counted, though the daemon saw no
// more than 96 octets of each, and the interfaces that the packets went by.
func TestLoggedPacketsToFlows(t *testing.T) {
	nstest.Need(t, "root", "nft", "nflog", "veth", "tool:nfcapd", "tool:nfdump", "tool:tshark", "tool:tcpdump")
	r := newRouter(t)
	dir := t.TempDir()
	nfcapd := r.ns.Start(t, "nfcapd -b 127.0.0.1 -p 2055 -w "+dir+" -t 60 -e")
	nfcapd.WaitOutput("(?i)startup|bound|listen", time.Minute)
	stopCapture := capture(t, r.ns, "udp port 4739")
	p := start(t, r.ns, write(t, "ulogd.conf", fmt.Sprintf(`
control=%q
stack=log1:NFLOG,b1:BASE,f1:FLOW,n1:NETFLOW5
stack=log1:NFLOG,b1:BASE,f1:FLOW,x1:IPFIX
[log1]
group=1
[n1]
host="127.0.0.1"
port=2055
[x1]
oid=1
host="127.0.0.1"
proto="udp"
`, filepath.Join(t.TempDir(), "control"))))
	r.traffic(t)
	v4, v6 := r.counter(t, "v4"), r.counter(t, "v6")
	if v4.Packets < 100 || v6.Packets < 20 {
		t.Fatalf("too little traffic: %+v over IPv4, %+v over IPv6", v4, v6)
	}
	time.Sleep(1500 * time.Millisecond) // the kernel gathers logged packets for a second
	if state := p.Stop(syscall.SIGTERM); state.ExitCode() != 0 {
		t.Errorf("exit code %d\n%s", state.ExitCode(), p.Output())
	}
	r.ns.Do(t, func() { nstest.DrainUDP(t, "2055") })
	nfcapd.Stop(syscall.SIGTERM)
	r.check(t, "NetFlow v5", nfdumpFlows(t, dir), v4)
	r.check(t, "IPFIX", tsharkFlows(t, stopCapture(), "-d", "udp.port==4739,cflow"), total{v4.Packets + v6.Packets, v4.Bytes + v6.Bytes})
}

// router is a namespace between two others, which logs what it forwards.
type router struct {
	ns, left, right *nstest.NS
	in, out         int // its interfaces
}

func newRouter(t *testing.T) *router {
	r := &router{ns: nstest.New(t), left: nstest.New(t), right: nstest.New(t)}
	nstest.Veth(t, r.ns, r.left, "eth0", "10.1.0.1/24", "left0", "10.1.0.2/24")
	nstest.Veth(t, r.ns, r.right, "eth1", "10.2.0.1/24", "right0", "10.2.0.2/24")
	r.ns.Sysctl(t, "net.ipv4.ip_forward", "1")
	r.ns.Sysctl(t, "net.ipv6.conf.all.forwarding", "1")
	for _, c := range []struct {
		ns      *nstest.NS
		command string
	}{
		{r.ns, "ip address add fd01::1/64 dev eth0 nodad"},
		{r.ns, "ip address add fd02::1/64 dev eth1 nodad"},
		{r.left, "ip address add fd01::2/64 dev left0 nodad"},
		{r.right, "ip address add fd02::2/64 dev right0 nodad"},
		{r.left, "ip route add default via 10.1.0.1"},
		{r.right, "ip route add default via 10.2.0.1"},
		{r.left, "ip route add default via fd01::1"},
		{r.right, "ip route add default via fd02::1"},
	} {
		c.ns.Run(t, c.command)
	}
	r.ns.Nft(t, `table inet t {
		counter v4 { }
		counter v6 { }
		chain f {
			type filter hook forward priority 0;
			meta nfproto ipv4 counter name v4 log group 1 snaplen 96
			meta nfproto ipv6 counter name v6 log group 1 snaplen 96
		}
	}`)
	r.ns.Do(t, func() {
		eth0, err0 := net.InterfaceByName("eth0")
		eth1, err1 := net.InterfaceByName("eth1")
		if err0 != nil || err1 != nil {
			t.Fatal(err0, err1)
		}
		r.in, r.out = eth0.Index, eth1.Index
	})
	return r
}

// traffic sends from left to right: TCP, and datagrams of every size, some of which are fragmented.
func (r *router) traffic(t *testing.T) {
	t.Helper()
	for _, c := range []struct{ family, address string }{{"4", "10.2.0.2:7000"}, {"6", "[fd02::2]:7000"}} {
		var l net.Listener
		var u net.PacketConn
		r.right.Do(t, func() {
			var err error
			if l, err = net.Listen("tcp"+c.family, c.address); err != nil {
				t.Fatal(err)
			}
			if u, err = net.ListenPacket("udp"+c.family, c.address); err != nil {
				t.Fatal(err)
			}
		})
		defer l.Close()
		defer u.Close()
		go func() {
			if s, err := l.Accept(); err == nil {
				io.Copy(s, io.LimitReader(s, 100_000))
				s.Close()
			}
		}()
		r.left.Do(t, func() {
			s, err := net.Dial("tcp"+c.family, c.address)
			if err != nil {
				t.Fatal(err)
			}
			go s.Write(make([]byte, 100_000))
			if n, err := io.Copy(io.Discard, s); n != 100_000 || err != nil {
				t.Errorf("%d octets came back: %v", n, err)
			}
			s.Close()
			d, err := net.Dial("udp"+c.family, c.address)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for size := 0; size <= 6000; size += 250 {
				if _, err := d.Write(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	last := [2]total{}
	nstest.Eventually(t, time.Minute, func() error { // until the ends of the connections are through
		time.Sleep(500 * time.Millisecond)
		before := last
		if last = [2]total{r.counter(t, "v4"), r.counter(t, "v6")}; last != before {
			return fmt.Errorf("%+v packets and octets passed, %+v before", last, before)
		}
		return nil
	})
}

// total is what a counter has, or flows have together.
type total struct{ Packets, Bytes uint64 }

// counter reads one of nft's.
func (r *router) counter(t *testing.T, name string) total {
	t.Helper()
	var list struct{ Nftables []struct{ Counter *total } }
	if err := json.Unmarshal([]byte(r.ns.Run(t, "nft -j list counter inet t "+name)), &list); err != nil {
		t.Fatal(err)
	}
	for _, item := range list.Nftables {
		if item.Counter != nil {
			return *item.Counter
		}
	}
	t.Fatalf("nft knows no counter %s", name)
	return total{}
}

func (r *router) check(t *testing.T, protocol string, flows []flow, want total) {
	t.Helper()
	var got total
	for _, f := range flows {
		got.Packets += f.packets
		got.Bytes += f.bytes
		in, out := r.in, r.out
		if strings.HasSuffix(f.dst, "1.0.2") || strings.HasPrefix(f.dst, "fd01:") {
			in, out = out, in
		}
		if f.in != in || f.out != out {
			t.Errorf("%s: a flow from %s to %s went by interfaces %d and %d, not %d and %d", protocol, f.src, f.dst, f.in, f.out, in, out)
		}
	}
	if got != want {
		t.Errorf("%s: %+v in %d flows; nft counted %+v", protocol, got, len(flows), want)
	}
}
