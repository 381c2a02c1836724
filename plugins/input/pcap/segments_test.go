// Packets that the kernel joins or cuts, on a cable.

package pcap

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/test/nstest"
	pt "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// TestSegmentsAreCountedAsOnTheWire sends over a cable whose ends join and cut packets, and over one
// whose ends do not. Packets in flows are those that the kernel says TCP and UDP have sent, and each
// of them has its headers.
func TestSegmentsAreCountedAsOnTheWire(t *testing.T) {
	nstest.Need(t, "root", "veth", "tool:ethtool", "tool:ip")
	const data, datagrams, datagram = 1 << 20, 40, 1200
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprintf("offloads %v", on), func(t *testing.T) {
			const server, client = "192.0.2.2", "192.0.2.1"
			a, b := cable(t)
			switches := "tso off gso off gro off tx-udp-segmentation off"
			if on {
				switches = "tso on gso on gro on tx-udp-segmentation on"
			}
			a.Run(t, "ethtool -K va "+switches)
			b.Run(t, "ethtool -K vb "+switches)
			d := stacktest.Start(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,flow:FLOW,out:RECORD"
[in]
network_namespace_path = %q
interface = "vb"
filter = "tcp or udp port 9998"
[out]
name = %q
keys = ["orig.ip.protocol", "orig.ip.saddr", "orig.raw.pktcount", "orig.raw.pktlen"]
`, b.Path(), t.Name()))
			transfer(t, a, b, server+":9999", data)
			segmented(t, a, client, server, datagrams, datagram)
			d.Eventually("all is seen", func() bool {
				return d.Stats("in").Out >= snmp(t, b, "Tcp", "InSegs")/64
			})
			d.Stop()
			again := snmp(t, a, "Tcp", "RetransSegs")
			sent := map[string]int64{
				client: snmp(t, a, "Tcp", "OutSegs") + again,
				server: snmp(t, b, "Tcp", "OutSegs") + snmp(t, b, "Tcp", "RetransSegs"),
			}
			var packets, seen int64
			for _, line := range stacktest.Recorded(t.Name()) {
				var proto int
				var from string
				var n, octets int64
				if _, err := fmt.Sscanf(line, "orig.ip.protocol=%d orig.ip.saddr=%s orig.raw.pktcount=%d orig.raw.pktlen=%d",
					&proto, &from, &n, &octets); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
				packets += n
				switch {
				case proto == unix.IPPROTO_UDP:
					seen++
					if n != datagrams || octets != datagrams*(datagram+28) {
						t.Errorf("UDP: %d packets of %d octets, want %d of %d", n, octets, datagrams, datagrams*(datagram+28))
					}
				case proto == unix.IPPROTO_TCP:
					seen++
					if n != sent[from] {
						t.Errorf("TCP from %s: %d packets, the kernel sent %d", from, n, sent[from])
					}
					// Each has 52 octets of headers, the first 60.
					if want := n*52 + 8; from == client && again == 0 && octets != want+data {
						t.Errorf("TCP: %d octets, want %d of data and %d of headers", octets, data, want)
					}
				}
			}
			frames := d.Stats("in").Out
			if seen != 3 || on == (frames == packets) || frames > packets {
				t.Errorf("%d flows, %d packets of %d frames", seen, packets, frames)
			}
			t.Logf("%d packets, which the kernel handed over as %d", packets, frames)
		})
	}
}

// transfer sends octets over TCP, until both ends have closed.
func transfer(t *testing.T, from, to *nstest.NS, address string, octets int64) {
	t.Helper()
	var l net.Listener
	to.Do(t, func() {
		var err error
		if l, err = net.Listen("tcp", address); err != nil {
			t.Fatal(err)
		}
	})
	defer l.Close()
	received := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			received <- -1
			return
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		received <- n
	}()
	from.Do(t, func() {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(c, zeros{}, octets); err != nil {
			t.Error(err)
		}
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c) // until the other end has closed
		c.Close()
	})
	if n := <-received; n != octets {
		t.Fatalf("%d octets arrived of %d", n, octets)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// segmented sends datagrams of one length by one call (udp(7), UDP_SEGMENT).
func segmented(t *testing.T, ns *nstest.NS, from, to string, n, length int) {
	t.Helper()
	ns.Do(t, func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, length); err != nil {
			t.Fatal(err)
		}
		address := &unix.SockaddrInet4{Port: 9998, Addr: [4]byte(net.ParseIP(to).To4())}
		if err := unix.Sendto(fd, make([]byte, n*length), 0, address); err != nil {
			t.Fatal(err)
		}
	})
}

// snmp reads one of the kernel's counters of a namespace (/proc/net/snmp).
func snmp(t *testing.T, ns *nstest.NS, protocol, name string) (n int64) {
	t.Helper()
	ns.Do(t, func() {
		var names []string
		for line := range strings.Lines(read(t, "/proc/thread-self/net/snmp")) {
			words := strings.Fields(line)
			if len(words) == 0 || words[0] != protocol+":" {
				continue
			}
			if names == nil {
				names = words
				continue
			}
			for i, w := range names {
				if w == name {
					fmt.Sscan(words[i], &n)
				}
			}
		}
	})
	return n
}

// TestJoinedFrames has an interface receive frames that are several packets, as from a virtual
// machine. What it hands over, and what it does not tell, is compared with arithmetic.
func TestJoinedFrames(t *testing.T) {
	nstest.Need(t, "root", "tool:ip")
	const data, size = 5000, 1000
	tcp, udp := pt.TCP{Src: 1, Dst: 9999}, pt.UDP{Src: 1, Dst: 9999}
	for name, c := range map[string]struct {
		kind      byte
		transport int // where its header begins
		layers    []pt.Layer
		packets   int
		headers   int // of each packet from IP on
	}{
		"TCP over IPv4":    {vnetTCP4, 14 + 20, []pt.Layer{pt.IPv4{}, tcp}, 5, 40},
		"TCP over IPv6":    {vnetTCP6, 14 + 40, []pt.Layer{pt.IPv6{}, tcp}, 5, 60},
		"TCP in a VLAN":    {vnetTCP4, 18 + 20, []pt.Layer{pt.VLAN{ID: 7}, pt.IPv4{}, tcp}, 5, 40},
		"UDP":              {vnetUDP, 14 + 20, []pt.Layer{pt.IPv4{}, udp}, 5, 28},
		"one packet alone": {0, 0, []pt.Layer{pt.IPv4{}, tcp}, 1, 40},
	} {
		for _, told := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, told %v", name, told), func(t *testing.T) {
				ns := nstest.New(t)
				ns.Sysctl(t, "net.ipv6.conf.default.disable_ipv6", "1")
				ns.Run(t, "ip tuntap add dev t0 mode tap vnet_hdr")
				ns.Run(t, "ip link set t0 up")
				tap := machine(t, ns, "t0", unix.IFF_TAP|unix.IFF_VNET_HDR)
				d := stacktest.Start(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,flow:FLOW,out:RECORD"
[in]
network_namespace_path = %q
interface = "t0"
segments = %v
[flow]
biflow = %v
[out]
name = %q
keys = ["orig.raw.pktcount", "orig.raw.pktlen"]
`, ns.Path(), told, told, t.Name()))
				frame := pt.Build(append(append([]pt.Layer{pt.Ethernet{}}, c.layers...), pt.Zeros(data))...)
				header := make([]byte, vnetLength)
				if c.kind != 0 {
					checksum := map[byte]uint16{vnetUDP: 6}[c.kind]
					if checksum == 0 {
						checksum = 16
					}
					header[0], header[1] = vnetNeedsCsum, c.kind
					binary.NativeEndian.PutUint16(header[2:], uint16(len(frame)-data))
					binary.NativeEndian.PutUint16(header[4:], size)
					binary.NativeEndian.PutUint16(header[6:], uint16(c.transport))
					binary.NativeEndian.PutUint16(header[8:], checksum)
				}
				const frames = 3
				for range frames {
					if _, err := unix.Write(tap, append(header, frame...)); err != nil {
						t.Fatal(err)
					}
				}
				d.Eventually("the frames are read", func() bool { return d.Stats("in").Out == frames })
				d.Stop()
				packets, total := c.packets, data+c.packets*c.headers
				if !told {
					packets, total = 1, data+c.headers
				}
				want := fmt.Sprintf("[orig.raw.pktcount=%d orig.raw.pktlen=%d]", frames*packets, frames*total)
				if got := fmt.Sprint(stacktest.Recorded(t.Name())); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			})
		}
	}
}

// The doctor names what joins packets where the kernel does not tell it.
func TestDoctorNamesWhatJoinsPackets(t *testing.T) {
	nstest.Need(t, "root", "veth", "tool:ethtool", "tool:ip")
	a, b := cable(t)
	b.Run(t, "ip link set lo up")
	for _, c := range []struct{ iface, switches, want string }{
		{"vb", "gro on tso on", ""}, // told
		{"any", "gro on tso off gso off", "vb: packets may be joined"},
		{"any", "gro off tso off gso off", ""},
	} {
		a.Run(t, "ethtool -K va "+c.switches)
		b.Run(t, "ethtool -K vb "+c.switches)
		m := stacktest.Plan(t, "test.toml", fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
network_namespace_path = %q
interface = %q
`,
			b.Path(), c.iface), &stacktest.Log{}).Machine
		d := &engine.DoctorReport{}
		m.Doctor(d)
		got := fmt.Sprint(d.Findings())
		if !strings.Contains(got, c.want) || c.want == "" && len(d.Findings()) > 0 {
			t.Errorf("%s with %s: %s, want %q", c.iface, c.switches, got, c.want)
		}
	}
}

func FuzzJoin(f *testing.F) {
	f.Add(append([]byte{1, 1, 0, 0, 100, 0, 34, 0, 16, 0},
		pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.TCP{}, pt.Zeros(900))...), uint32(954))
	f.Fuzz(func(t *testing.T, b []byte, wirelen uint32) {
		if len(b) < vnetLength {
			return
		}
		if j := joinOf(b, wirelen); j.packets > 0 && (j.headers >= wirelen || uint64(j.packets) > uint64(wirelen)) {
			t.Errorf("%+v of %d octets", j, wirelen)
		}
	})
}
