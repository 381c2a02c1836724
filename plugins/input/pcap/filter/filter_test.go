// Filters are compared with tcpdump and the kernel, packet by packet.

package filter

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/test/nstest"
	pt "ulogd/test/packettest"
)

// oracleExpressions are compared with tcpdump packet by packet.
var oracleExpressions = strings.Split(strings.TrimSpace(`
ip
ip6
arp
tcp
udp
icmp
icmp6
sctp
vlan
mpls
not ip
! ip6
ip or ip6
ip and tcp
tcp or udp or icmp
not (tcp or udp)
not tcp and not udp
host 10.0.0.1
ip host 10.0.0.1
arp host 10.0.0.1
src host 10.0.0.1
dst host 10.0.0.1
src 10.0.0.1
dst 10.0.0.1 and tcp
src or dst 10.0.0.1
src and dst 10.0.0.1
src or dst host 10.0.0.2
host 10.0.0.1 or 10.1.2.3
host 10.0.0.1 and 10.0.0.2
host 10.0.0.1 and not 10.0.0.2
host (10.0.0.1 or 172.16.0.1)
net 10.0.0.0/8
net 10
net 10.1
src net 10.1.2
dst net 192.168.0.0/16
net 10.0.0.0 mask 255.255.255.0
net 10.0.0.0/30
net 0.0.0.0/0
ip net 172.16.0.0/12 or 192.168.0.0/16
arp net 10.0.0.0/24
src and dst net 10.0.0.0/8
port 80
port 53
tcp port 80
udp port 53
sctp port 80
src port 80
dst port 80
udp dst port 53
tcp src or dst port 22
src and dst port 53
port 80 or 53
port (80 or 443)
port not 80
portrange 6000-6010
tcp src portrange 400-1300
portrange 6010-6000
dst portrange 20-79
portrange 53
port domain
tcp port http
port ssh
udp port domain and host 10.0.0.1
host 10.0.0.1 and port 80 and not tcp
proto 17
proto 47
proto \tcp
proto 50 or 33
ip proto 6
ip proto \icmp
ip6 proto 17
ip6 proto \tcp
host not 10.0.0.1
ip6 proto 44
ip proto 17 or 1
proto 0x11
host 2001:db8::1
ip6 host fe80::1
src host 2001:db8::1
dst host ff02::1
net 2001:db8::/32
net 2001:db8::/64
src net 2001:db8:0:1::/64
ip6 net fe80::/10
ip6 and src or dst net 2001:db8::/33
src and dst net 2001:db8::/48
ip6 and port 53
less 100
greater 100
less 64 or greater 1000
greater 14 and less 15
not less 60
vlan 100
vlan 100 and tcp
vlan and ip6
vlan and host 10.0.0.1
vlan and port 53
vlan and vlan
vlan 7 and vlan 101 and udp port 53
vlan and vlan and net 10.0.0.0/8
vlan or ip
vlan 100 or vlan 101
not vlan
not vlan and ip
ip or (vlan and ip) or (vlan and ip)
mpls 1000
mpls and ip
mpls and ip6
mpls and host 10.0.0.1
mpls and tcp port 80
mpls 16 and mpls 1001
mpls and mpls and udp
vlan and mpls and host 10.0.0.1
vlan 100 and mpls 1000 and portrange 50-90
mpls and net 2001:db8::/32
tcp && port 80 || udp && port 53
tcp or udp and port 53
(tcp and port 80) or (udp and port 53)
not not tcp
not (not (tcp) or port 80)
ip and not (src net 10.0.0.0/8 and dst net 10.0.0.0/8)
not port 80
not host 10.0.0.1
tcp and (dst port 80 or 22)
src 10.0.0.1 or dst 10.0.0.1
icmp or arp or icmp6 or sctp
ip host 10.0.0.1 and ip proto 17 and dst portrange 1000-2000
`), "\n")

// kernelFilter is a program run by the kernel: a pair of sockets, a datagram on one of which passes
// the filter on the other.
type kernelFilter struct{ in, out int }

func newKernelFilter(t *testing.T) *kernelFilter {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return &kernelFilter{fds[0], fds[1]}
}

func (k *kernelFilter) attach(t *testing.T, program []unix.SockFilter) {
	t.Helper()
	p := unix.SockFprog{Len: uint16(len(program)), Filter: unsafe.SliceData(program)}
	if err := unix.SetsockoptSockFprog(k.out, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &p); err != nil {
		t.Fatalf("the kernel refuses the program: %v", err)
	}
}

func (k *kernelFilter) takes(t *testing.T, data []byte) bool {
	t.Helper()
	if _, err := unix.Write(k.in, data); err == unix.EPERM { // what the kernel says of a datagram that a filter refused
		return false
	} else if err != nil {
		t.Fatal(err)
	}
	var buf [4096]byte
	_, err := unix.Read(k.out, buf[:])
	return err == nil
}

func TestFilterTakesWhatTcpdumpTakes(t *testing.T) {
	nstest.Need(t, "tool:tcpdump")
	packets := pt.AllKinds()
	file := pt.WriteNumbered(t, pt.LinkEthernet, packets)
	kernel := newKernelFilter(t)
	for _, e := range oracleExpressions {
		want := pt.TcpdumpTakes(t, file, e)
		f, err := Compile(e)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		live, err := CompileLive(e, false)
		if err != nil {
			t.Fatal(err)
		}
		program, err := live.Assemble(1 << 18)
		if err != nil {
			t.Fatal(err)
		}
		kernel.attach(t, program)
		wrong := 0
		for i, p := range packets {
			wire := p.Wire
			if wire == 0 {
				wire = len(p.Data)
			}
			if got := f.Match(p.Data[14:], be.Uint16(p.Data[12:]), uint32(wire)); got != want[i] {
				if wrong++; wrong < 4 {
					t.Errorf("%s: packet %d, %d of %d octets: %v, tcpdump says %v: % x", e, i, len(p.Data), wire, got, want[i], p.Data[12:min(len(p.Data), 64)])
				}
			}
			if p.Wire == 0 || !strings.Contains(e, "less") && !strings.Contains(e, "greater") { // the socket does not know of octets cut off
				if got := kernel.takes(t, p.Data); got != want[i] {
					if wrong++; wrong < 4 {
						t.Errorf("%s: packet %d: the kernel says %v, tcpdump %v: % x", e, i, got, want[i], p.Data[12:min(len(p.Data), 64)])
					}
				}
			}
		}
		if len(want) == 0 && e != "greater 14 and less 15" {
			t.Errorf("%s: no packet shows that it works", e)
		}
	}
}

func TestFiltersRefused(t *testing.T) {
	for e, want := range map[string]string{
		"":                            "it ends where a primitive belongs",
		"tcp and":                     "it ends where a primitive belongs",
		"tcp udp":                     `"udp" where and, or or the end belongs`,
		"(tcp":                        `"" where ) belongs`,
		"tcp)":                        `")" where and, or or the end belongs`,
		"ether host 1:2:3:4:5:6":      `"ether" is not supported; the words are ip ip6 arp`,
		"gateway foo":                 `"gateway" is not supported`,
		"tcp[13] == 2":                `'[' is not supported`,
		"port":                        `"" where an argument belongs`,
		"port and tcp":                `"and" where an argument belongs`,
		"host example.org":            "names of hosts are not looked up",
		"80":                          `"80" needs host, net, port`,
		"tcp or 80":                   `"80" needs host, net, port`,
		"tcp host 10.0.0.1":           "tcp has no addresses",
		"ip port 80":                  "ip has no ports",
		"ip6 host 10.0.0.1":           "not an IPv6 address",
		"ip host ::1":                 "ip has no IPv6 addresses",
		"net 10.0.0.1/8":              "bits set behind its prefix",
		"net 10.0.0.0/33":             "prefix length must be 0 to 32",
		"net 10.0.0.1 mask 255.0.0.0": "bits set behind its mask",
		"net 10.0.0.0 mask x":         "mask needs four octets",
		"net 2001:db8::1/32":          "bits set behind its prefix",
		"host 1:2":                    "not an IPv6 address",
		"port 65536":                  `"65536" is not a port`,
		"port no-such-service":        "not a port, nor a service",
		"udp port ssh":                "not a port, nor a service",
		"proto 256":                   "proto needs a number from 0 to 255",
		"tcp proto 6":                 "proto follows ip, ip6 or nothing",
		"vlan 4096":                   "not a number up to 4095",
		"mpls 1048576":                "not a number up to 1048575",
		"mpls and vlan":               "vlan cannot follow mpls",
		"mpls and arp":                "only ip and ip6 can be told behind mpls",
		"less x":                      "less needs a number",
		strings.Repeat("(", 200):      "too many parentheses",
		strings.Repeat("x", 70000):    "longer than",
		strings.Repeat("host 1.2.3.4 or ", 700) + "ip": "too long",
	} {
		if _, err := Compile(e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error is %v, want %s", e, err, want)
		}
	}
}

// TestLongFiltersReachTheirEnd has jumps farther than a conditional one of BPF reaches.
func TestLongFiltersReachTheirEnd(t *testing.T) {
	var words []string
	for i := range 300 {
		words = append(words, fmt.Sprintf("src net 10.%d.0.0/16", i%256))
	}
	e := "tcp and (" + strings.Join(words, " or ") + " or dst host 192.0.2.2) and not port 99"
	live, err := CompileLive(e, false)
	if err != nil {
		t.Fatal(err)
	}
	program, err := live.Assemble(100)
	if err != nil {
		t.Fatal(err)
	}
	kernel := newKernelFilter(t)
	kernel.attach(t, program)
	f, err := Compile(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		src, dst string
		port     uint16
		want     bool
	}{{"10.0.0.1", "192.0.2.9", 1, true}, {"10.255.3.1", "192.0.2.9", 1, true}, {"11.0.0.1", "192.0.2.2", 1, true}, {"11.0.0.1", "192.0.2.9", 1, false}, {"10.1.0.1", "192.0.2.9", 99, false}} {
		data := pt.Build(pt.Ethernet{}, pt.IPv4{Src: c.src, Dst: c.dst}, pt.TCP{Dst: c.port})
		if got := kernel.takes(t, data); got != c.want {
			t.Errorf("%+v: the kernel says %v", c, got)
		}
		if got := f.Match(data[14:], engine.EtherIPv4, uint32(len(data))); got != c.want {
			t.Errorf("%+v: match says %v", c, got)
		}
	}
}

func TestFilterAllocatesNothing(t *testing.T) {
	f, err := Compile("tcp port 80 or host 10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	packet := pt.Build(pt.IPv4{}, pt.TCP{Dst: 81})
	if n := testing.AllocsPerRun(100, func() { f.Match(packet, engine.EtherIPv4, 60) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// evaluate answers a tree by itself, without making a program of it; it reports false for ok where
// the packet is too short.
func evaluate(n *node, packet []byte, etherType uint16, wirelen uint32) (hit, ok bool) {
	switch n.kind {
	case notNode:
		hit, ok = evaluate(n.a, packet, etherType, wirelen)
		return !hit, ok
	case andNode, orNode:
		hit, ok = evaluate(n.a, packet, etherType, wirelen)
		if !ok || hit == (n.kind == orNode) {
			return hit, ok
		}
		return evaluate(n.b, packet, etherType, wirelen)
	}
	l := n.test.load
	off, size := int(l.off), map[origin]int{fromWord: 4, fromHalf: 2, fromPort: 2, fromByte: 1}[l.from]
	if l.from == fromPort {
		if int(l.ip) >= len(packet) {
			return false, false
		}
		off += int(l.ip) + int(packet[l.ip]&15)*4
	}
	number := wirelen
	if l.from == fromType {
		number = uint32(etherType)
	}
	if size > 0 {
		if off+size > len(packet) {
			return false, false
		}
		number = 0
		for _, b := range packet[off : off+size] {
			number = number<<8 | uint32(b)
		}
	}
	return n.test.of(number & l.mask), true
}

func FuzzFilter(f *testing.F) {
	packets := pt.AllKinds()
	for i, e := range oracleExpressions {
		f.Add(e, packets[i*7%len(packets)].Data)
	}
	f.Fuzz(func(t *testing.T, expression string, frame []byte) {
		c, err := Compile(expression)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		for i, s := range c.steps {
			if int(s.yes) <= i || int(s.no) <= i || s.yes < taken && int(s.yes) >= len(c.steps) || s.no < taken && int(s.no) >= len(c.steps) {
				t.Fatalf("step %d of %d goes on at %d and %d", i, len(c.steps), s.yes, s.no)
			}
		}
		tree, _ := parseFilter(expression, place{etherType: load{from: fromType, mask: ^uint32(0)}})
		if len(frame) < 14 {
			return
		}
		packet, etherType := frame[14:], be.Uint16(frame[12:])
		hit, ok := evaluate(tree, packet, etherType, uint32(len(frame)))
		if got := c.Match(packet, etherType, uint32(len(frame))); got != (hit && ok) {
			t.Fatalf("%s: the program says %v, the tree %v, %v", expression, got, hit, ok)
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	packet := pt.Build(pt.IPv4{}, pt.TCP{Src: 1, Dst: 443})
	for _, e := range []string{"ip", "tcp port 80", "host 10.0.0.1 and port 80", "net 10.0.0.0/8 or net 192.168.0.0/16 or udp"} {
		f, err := Compile(e)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(e, func(b *testing.B) {
			for b.Loop() {
				f.Match(packet, engine.EtherIPv4, 60)
			}
		})
	}
}
