// Collectors as somebody installs them: what they print of a file's flows and of the kernel's
// connections, in their default configuration.

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/collectors"
	"ulogd/test/nstest"
	"ulogd/test/packettest"
)

// An installed collector: what it printed.
type installed struct {
	collectors.Collector
	flows    func(t *testing.T, dir, output string) []shown
	relative string // the output of ours whose times it shows without what they count from
	seconds  bool   // it takes uptimes for whole seconds
}

var collectorsInstalled = []installed{
	{
		Collector: collectors.Nfcapd,
		flows:     func(t *testing.T, dir, _ string) []shown { return nfdumpShown(t, dir) },
	},
	{
		Collector: collectors.Nfacctd("src_host,dst_host,src_port,dst_port,proto,tcpflags,timestamp_start,timestamp_end"),
		seconds:   true,
		flows: func(t *testing.T, _, output string) []shown {
			names := members{"ip_src", "ip_dst", "port_src", "port_dst", "ip_proto", "packets", "bytes", "tcp_flags"}
			return jsonShown(output, names, func(row map[string]any) (first, last time.Time) {
				return stamp(t, fmt.Sprint(row["timestamp_start"])), stamp(t, fmt.Sprint(row["timestamp_end"]))
			})
		},
	},
	{
		Collector: collectors.Goflow2,
		flows: func(_ *testing.T, _, output string) []shown {
			names := members{"src_addr", "dst_addr", "src_port", "dst_port", "proto", "packets", "bytes", "tcp_flags"}
			return jsonShown(output, names, func(row map[string]any) (first, last time.Time) {
				return time.Unix(0, member(row, "time_flow_start_ns")), time.Unix(0, member(row, "time_flow_end_ns"))
			})
		},
	},
	{
		Collector: collectors.Telegraf, relative: "NETFLOW9",
		flows: func(_ *testing.T, _, output string) []shown {
			names := members{"src", "dst", "src_port", "dst_port", "protocol", "in_packets", "in_bytes", "tcp_flags"}
			return jsonShown(output, names, telegrafTimes)
		},
	},
}

// TestCollectorsAsInstalled starts each collector untouched and sends it, by each protocol,
// connections of the kernel and then a file's flows: what it prints must be what conntrack and the
// file have, both directions, IPv4 and IPv6. Those that are not in Debian are built, which takes
// minutes: ULOGD_PEERS=1 asks for them, as make test does.
func TestCollectorsAsInstalled(t *testing.T) {
	for _, c := range collectorsInstalled {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel() // it waits for the most part
			nstest.Need(t, "root", "nf_conntrack", "tool:conntrack")
			program := c.Program(t)
			for _, output := range datagramOutputs {
				t.Run(output.name, func(t *testing.T) {
					t.Parallel()
					c.test(t, program, output.name, output.options)
				})
			}
		})
	}
}

// test runs the main job and the FLOW job, one after the other, with one output.
func (c *installed) test(t *testing.T, program, output, options string) {
	ns, events := gateway(t)
	// An entry lives on for longer than the end of its flow may be wrong.
	for _, timeout := range []string{"tcp_timeout_time_wait", "udp_timeout", "udp_timeout_stream"} {
		ns.Sysctl(t, "net.netfilter.nf_conntrack_"+timeout, "4")
	}
	peer := c.Start(t, ns, program, output)
	to := fmt.Sprintf("[out]\nhost=\"127.0.0.1:%s\"\n%s", c.Port, options)

	p := start(t, ns, write(t, "ulogd.conf", "stack=ct1:NFCT,out:"+output+"\n"+to))
	const sends = 1500 * time.Millisecond // IPFIX sends a second after the first record at the latest
	want := connections(t, ns, events)
	time.Sleep(sends)
	p.Signal(syscall.SIGHUP) // as logrotate does each day: another session, in which templates are told again
	want = append(want, connections(t, ns, events)...)
	time.Sleep(sends)
	p.Stop(syscall.SIGTERM)

	path, packets := conversation(t)
	p = start(t, ns, write(t, "ulogd.toml",
		fmt.Sprintf(`stack = "in:PCAP,base:BASE,flows:FLOW,out:%s"
[in]
file = [%q]
%s`, output, path, to)))
	if state := p.Wait(time.Minute); state.ExitCode() != 0 {
		t.Errorf("exit code %d\n%s", state.ExitCode(), p.Output())
	}
	got := c.printed(t, peer)
	if t.Failed() {
		return
	}
	var told [2][]shown // by the jobs: each has its own epoch
	for _, g := range got {
		job := 1
		if ip, err := netip.ParseAddr(g.src); err == nil && ip.IsLoopback() {
			job = 0
		}
		told[job] = append(told[job], g)
	}
	for job, want := range [2][]expected{want, packets} {
		if output == "NETFLOW5" {
			want = only4(want)
		}
		if c.seconds && output != "IPFIX" {
			for i := range want {
				want[i].slack += time.Second
			}
		}
		compare(t, told[job], want, c.relative == output)
	}
}

// printed ends the collector and returns the flows that it printed, without those to itself.
func (c *installed) printed(t *testing.T, peer *collectors.Running) []shown {
	t.Helper()
	output := peer.Stop(t)
	return slices.DeleteFunc(c.flows(t, peer.Dir, output), func(s shown) bool {
		return fmt.Sprint(s.dport) == c.Port || fmt.Sprint(s.sport) == c.Port
	})
}

// connections makes TCP connections and UDP exchanges, over IPv4 and IPv6, and returns both
// directions of each with conntrack's counters, when conntrack has told of their ends. Of TCP flags
// the kernel tells nothing.
func connections(t *testing.T, ns *nstest.NS, events *nstest.Proc) (want []expected) {
	t.Helper()
	type lifetime struct{ before, began, ended time.Time }
	lives := map[string]lifetime{} // by the ports, in the order of their numbers
	ports := func(a, b int) string { return fmt.Sprint(min(a, b), " ", max(a, b)) }
	talk := func(network, address string, n int) {
		before := time.Now()
		client, server := pair(t, network, address)
		began := time.Now()
		for range 2 {
			say(t, client, server, 100+37*n)
			if network[:3] == "udp" {
				began = time.Now()
			}
			say(t, server, client, 10+100*n)
			time.Sleep(150 * time.Millisecond)
		}
		_, a, _ := net.SplitHostPort(client.LocalAddr().String())
		_, b, _ := net.SplitHostPort(client.RemoteAddr().String())
		client.Close()
		if network[:3] == "tcp" {
			io.Copy(io.Discard, server)
		}
		server.Close()
		lives[ports(int(number(a)), int(number(b)))] = lifetime{before, began, time.Now()}
	}
	ns.Do(t, func() {
		for i := range 3 {
			talk("tcp4", "127.0.0.1:0", i)
			talk("tcp6", "[::1]:0", i)
			talk("udp4", "127.0.0.1:0", i)
			talk("udp6", "[::1]:0", i)
		}
	})
	nstest.Eventually(t, time.Minute, func() error {
		want = nil
		ns.Run(t, "conntrack -L") // the kernel looks for dead entries when it lists them; by itself it takes its time
		for line := range strings.Lines(events.Output()) {
			m := event.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			life, ok := lives[ports(int(number(m[5])), int(number(m[6])))]
			if !ok {
				continue // the collector's
			}
			one := expected{
				flow: flow{
					src: m[3], dst: m[4], sport: int(number(m[5])), dport: int(number(m[6])), proto: int(number(m[2])),
					packets: number(m[7]), bytes: number(m[8]),
				},
				first: [2]time.Time{life.before, life.began}, last: life.ended, slack: 2 * time.Second,
			}
			back := one
			back.flow = flow{
				src: m[9], dst: m[10], sport: int(number(m[11])), dport: int(number(m[12])), proto: one.proto,
				packets: number(m[13]), bytes: number(m[14]),
			}
			want = append(want, one, back)
		}
		if len(want) < 2*len(lives) {
			return fmt.Errorf("conntrack has told of %d of %d connections", len(want)/2, len(lives))
		}
		return nil
	})
	return want
}

// pair returns two ends of a connection.
func pair(t *testing.T, network, address string) (client, server net.Conn) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if network[:3] == "udp" {
		l, err := net.ListenPacket(network, address)
		must(err)
		client, err = net.Dial(network, l.LocalAddr().String())
		must(err)
		return client, &answering{l.(*net.UDPConn), client.LocalAddr()}
	}
	l, err := net.Listen(network, address)
	must(err)
	defer l.Close()
	client, err = net.Dial(network, l.Addr().String())
	must(err)
	server, err = l.Accept()
	must(err)
	return client, server
}

// answering is a socket that talks to one client.
type answering struct {
	*net.UDPConn
	client net.Addr
}

func (a *answering) Write(b []byte) (int, error) { return a.WriteTo(b, a.client) }

// say sends octets from one end to the other.
func say(t *testing.T, from, to net.Conn, n int) {
	t.Helper()
	from.Write(make([]byte, n))
	to.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadFull(to, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

// conversation writes a file of a TCP connection and a UDP exchange, over IPv4 and IPv6, and
// returns its flows.
func conversation(t *testing.T) (path string, want []expected) {
	t.Helper()
	var packets []packettest.Packet
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	seen := history{}
	for i, hosts := range [][2]string{{"192.0.2.1", "198.51.100.1"}, {"2001:db8::1", "2001:db8:1::1"}} {
		put := func(back bool, layer packettest.Layer, f flow, flags uint8, data int) {
			if f.src, f.dst = hosts[0], hosts[1]; back {
				f.src, f.dst = f.dst, f.src
			}
			var ip packettest.Layer = packettest.IPv4{Src: f.src, Dst: f.dst}
			if i == 1 {
				ip = packettest.IPv6{Src: f.src, Dst: f.dst}
			}
			frame := packettest.Build(packettest.Ethernet{}, ip, layer, packettest.Raw(make([]byte, data)))
			at = at.Add(11 * time.Millisecond)
			packets = append(packets, packettest.Packet{Time: at, Data: frame})
			f.bytes = uint64(len(packettest.Build(ip, layer, packettest.Raw(make([]byte, data)))))
			seen.add(f, at, flags)
		}
		sport := uint16(40000 + i)
		tcp := func(back bool, flags uint8, data int) {
			h := packettest.TCP{Src: sport, Dst: 80, Flags: flags}
			if back {
				h.Src, h.Dst = h.Dst, h.Src
			}
			put(back, h, flow{sport: int(h.Src), dport: int(h.Dst), proto: 6}, flags, data)
		}
		udp := func(back bool, data int) {
			h := packettest.UDP{Src: sport, Dst: 53}
			if back {
				h.Src, h.Dst = h.Dst, h.Src
			}
			put(back, h, flow{sport: int(h.Src), dport: int(h.Dst), proto: 17}, 0, data)
		}
		tcp(false, packettest.SYN|packettest.ECE|packettest.CWR, 0)
		tcp(true, packettest.SYN|packettest.ACK|packettest.ECE, 0)
		tcp(false, packettest.ACK|packettest.PSH, 100)
		udp(false, 40)
		tcp(true, packettest.ACK, 1000)
		tcp(true, packettest.ACK|packettest.FIN, 0)
		tcp(false, packettest.ACK|packettest.FIN, 0)
		tcp(true, packettest.ACK, 0)
		udp(true, 200)
	}
	path = filepath.Join(t.TempDir(), "conversation.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := packettest.WritePcap(f, 1, packettest.Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	return path, seen.flows()
}
