package nfct_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// TestHundredsEqualConntrack makes connections of every kind, in rounds that conntrack's own buffer
// can hold.
func TestHundredsEqualConntrack(t *testing.T) {
	ns := tracked(t)
	ns.Nft(
		t,
		"table inet nat { chain o { type nat hook output priority -100; tcp dport 8080 dnat ip to 127.0.0.1:8081; }; }",
	)
	d := start(t, ns, t.Name(), `compat = "ulogd2"`, "extra_keys = true") // conntrack shows the ends of entries
	events := ns.Start(t, "conntrack -E -e DESTROY -o ktimestamp,id")
	events.WaitSubscribed(time.Minute)
	const rounds, each = 5, 12
	var ours []string
	for round := range rounds {
		for i := range each {
			size := 100*round + i
			tcpEcho(t, ns, "127.0.0.1:0", 10*size)
			tcpEcho(t, ns, "[::1]:0", size)
			udpPing(t, ns, "127.0.0.1:0", size, 2*size)
			udpPing(t, ns, "[::1]:0", size, -1)
		}
		ping(t, ns, "ip4:icmp", "127.0.0.1", 8)
		ping(t, ns, "ip6:ipv6-icmp", "::1", 128)
		translated(t, ns)
		n := (round + 1) * (4*each + 3)
		lines(t, ns, events, "[DESTROY]", n)
		ours = append(ours, collect(t, d, t.Name(), n-len(ours))...)
	}
	compare(t, lines(t, ns, events, "[DESTROY]", len(ours)), ours)
	if len(ours) < 250 {
		t.Errorf("only %d connections", len(ours))
	}
}

// translated makes a connection to port 8080 that arrives at 8081.
func translated(t testing.TB, ns *nstest.NS) {
	t.Helper()
	ns.Do(t, func() {
		l, err := net.Listen("tcp", "127.0.0.1:8081")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := net.Dial("tcp", "127.0.0.1:8080")
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
}

// TestOctetsEqualTheWire compares TCP's counters with a capture of the cable, and UDP's with what
// the programs sent. The connections are tracked by a router: a host tracks its own TCP before it
// is cut into segments.
func TestOctetsEqualTheWire(t *testing.T) {
	nstest.Need(t, "tool:tcpdump", "tool:ethtool")
	near, router, far := nstest.New(t), tracked(t), nstest.New(t)
	nstest.Veth(t, near, router, "near", "192.0.2.1/24", "inside", "192.0.2.254/24")
	nstest.Veth(t, far, router, "far", "198.51.100.1/24", "outside", "198.51.100.254/24")
	near.Run(t, "ip route add default via 192.0.2.254")
	far.Run(t, "ip route add default via 198.51.100.254")
	router.Sysctl(t, "net.ipv4.ip_forward", "1")
	file := t.TempDir() + "/wire.pcap"
	dump := router.Start(t, "tcpdump -i inside -s 64 -U --immediate-mode -w "+file+" ip")
	dump.WaitOutput("listening on", time.Minute)
	d := start(t, router, t.Name(), "", "")
	const connections = 20
	var listener net.Listener
	near.Do(t, func() {
		var err error
		if listener, err = net.Listen("tcp", "192.0.2.1:0"); err != nil {
			t.Fatal(err)
		}
	})
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	far.Do(t, func() {
		for i := range connections {
			c, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			go func() { c.Write(make([]byte, 1000*i)); c.(*net.TCPConn).CloseWrite() }()
			io.ReadAll(c)
			c.Close()
			// A port of its own: of those that the kernel chooses two may be the same, and then
			// both are one connection.
			u, err := net.DialUDP(
				"udp",
				&net.UDPAddr{Port: 20000 + i},
				&net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9},
			)
			if err != nil {
				t.Fatal(err)
			}
			u.Write(make([]byte, i))
			u.Close()
		}
	})
	var ours []string
	d.Eventually("all ends", func() bool {
		router.Run(t, "conntrack -L")
		ours = append(ours, collect(t, d, t.Name(), 0)...)
		return len(ours) >= 2*connections
	})
	nstest.Unchanged(t, file)
	dump.Stop(os.Interrupt)
	wire := wireOctets(t, file)
	udp := 0
	for _, line := range ours {
		m := fields(line)
		switch m["orig.ip.protocol"] {
		case "6":
			for _, side := range []string{"orig", "reply"} {
				k := fmt.Sprintf("%s:%s", m[side+".ip.saddr"], m[side+".l4.sport"])
				k += fmt.Sprintf(">%s:%s", m[side+".ip.daddr"], m[side+".l4.dport"])
				if got, want := m[side+".raw.pktlen"]+" "+m[side+".raw.pktcount"], fmt.Sprint(wire[k].octets, wire[k].packets); got != want {
					t.Errorf("%s: %s octets and packets, the wire carried %s", k, got, want)
				}
			}
		case "17":
			udp += octets(line) - 28
		}
	}
	if udp != connections*(connections-1)/2 {
		t.Errorf("UDP payloads of %d octets, sent %d", udp, connections*(connections-1)/2)
	}
}

type carried struct{ octets, packets int }

// wireOctets adds up the IPv4 total lengths of a capture of TCP over Ethernet, by direction.
func wireOctets(t testing.TB, file string) map[string]carried {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil || len(b) < 24 {
		t.Fatalf("%d octets of capture, %v", len(b), err)
	}
	sum := map[string]carried{}
	for b = b[24:]; len(b) >= 16; {
		n := int(binary.NativeEndian.Uint32(b[8:]))
		packet := b[16 : 16+n]
		b = b[16+n:]
		if len(packet) < 54 || packet[14] != 0x45 || packet[23] != 6 {
			continue
		}
		ip := packet[14:]
		k := fmt.Sprintf(
			"%s:%d>%s:%d",
			net.IP(ip[12:16]),
			binary.BigEndian.Uint16(ip[20:]),
			net.IP(ip[16:20]),
			binary.BigEndian.Uint16(ip[22:]),
		)
		c := sum[k]
		sum[k] = carried{c.octets + int(binary.BigEndian.Uint16(ip[2:])), c.packets + 1}
	}
	return sum
}
