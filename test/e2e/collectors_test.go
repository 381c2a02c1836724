// Collectors as somebody installs them: what they print of a file's flows and of the kernel's
// connections, in their default configuration.

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
	"ulogd/test/packettest"
)

// An installed collector: how it is started, and what it printed.
type installed struct {
	name    string
	module  string // in test/peers; "": of Debian
	port    string // its own
	ready   string // what it prints when it listens; "": its socket tells
	command func(dir, program string) string
	flows   func(t *testing.T, dir, output string) []flow
}

var collectors = []installed{
	{
		name: "nfcapd", port: "9995",
		command: func(dir, _ string) string { return "nfcapd -w " + dir },
		flows:   func(t *testing.T, dir, _ string) []flow { return nfdumpFlows(t, dir) },
	},
	{
		name: "nfacctd", port: "2100",
		command: func(string, string) string {
			return "nfacctd -P print -O json -r 1 -L 127.0.0.1 -l 2100 -c src_host,dst_host,src_port,dst_port,proto,tcpflags"
		},
		flows: func(t *testing.T, _, output string) []flow {
			return jsonFlows(t, output, "ip_src", "ip_dst", "port_src", "port_dst", "ip_proto", "packets", "bytes")
		},
	},
	{
		name: "goflow2", port: "2055", ready: "starting collection|Listening", module: "github.com/netsampler/goflow2/v2/cmd/goflow2",
		command: func(_, program string) string { return program },
		flows: func(t *testing.T, _, output string) []flow {
			return jsonFlows(t, output, "src_addr", "dst_addr", "src_port", "dst_port", "proto", "packets", "bytes")
		},
	},
	{
		name: "telegraf", port: "2055", module: "./telegraf",
		command: func(_, program string) string { return program + " 127.0.0.1:2055" },
		flows: func(t *testing.T, _, output string) []flow {
			return jsonFlows(t, output, "src", "dst", "src_port", "dst_port", "protocol", "in_packets", "in_bytes")
		},
	},
}

// jsonFlows reads flows, a JSON object on a line each; names are those of its members.
func jsonFlows(t *testing.T, output string, names ...string) (flows []flow) {
	t.Helper()
	for line := range strings.Lines(output) {
		var row map[string]any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if d.Decode(&row) != nil || row[names[0]] == nil {
			continue // of its log
		}
		num := func(name string) (n uint64) {
			fmt.Sscan(fmt.Sprint(row[name]), &n)
			return n
		}
		proto := map[string]int{"tcp": 6, "TCP": 6, "udp": 17, "UDP": 17, "6": 6, "17": 17}[fmt.Sprint(row[names[4]])]
		flows = append(flows, flow{
			src: fmt.Sprint(row[names[0]]), dst: fmt.Sprint(row[names[1]]), sport: int(num(names[2])), dport: int(num(names[3])),
			proto: proto, packets: num(names[5]), bytes: num(names[6]),
		})
	}
	return flows
}

// TestCollectorsAsInstalled starts each collector untouched and sends it connections of the kernel,
// then a file's flows: what it prints must be what conntrack and the file have, both directions,
// IPv4 and IPv6. Those that are not in Debian are built, which takes minutes: ULOGD_PEERS=1 asks
// for them.
func TestCollectorsAsInstalled(t *testing.T) {
	for _, c := range collectors {
		t.Run(c.name, func(t *testing.T) {
			program := c.name
			if c.module == "" {
				nstest.Need(t, "root", "nf_conntrack", "tool:conntrack", "tool:"+c.name)
			} else {
				if os.Getenv("ULOGD_PEERS") == "" {
					t.Skip("built by make test-peers only")
				}
				nstest.Need(t, "root", "nf_conntrack", "tool:conntrack")
				program = filepath.Join(t.TempDir(), c.name)
				build := exec.Command("go", "build", "-buildvcs=false", "-o", program, c.module)
				build.Dir = "../peers"
				if out, err := build.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			t.Run("connections", func(t *testing.T) {
				ns, events := gateway(t)
				dir := t.TempDir()
				peer := startInstalled(t, ns, &c, dir, program)
				p := start(t, ns, write(t, "ulogd.conf", fmt.Sprintf("stack=ct1:NFCT,ipfix1:IPFIX\n[ct1]\naccept_proto_filter=tcp\n[ipfix1]\nhost=\"127.0.0.1:%s\"\nproto=\"udp\"\n", c.port)))
				traffic(t, ns, 12)
				want := destroyed(t, ns, events, 12)
				time.Sleep(1500 * time.Millisecond) // IPFIX sends a second after the first record at the latest
				p.Stop(syscall.SIGTERM)
				printed(t, peer, &c, dir, want)
			})
			t.Run("file", func(t *testing.T) {
				ns := nstest.New(t)
				dir := t.TempDir()
				peer := startInstalled(t, ns, &c, dir, program)
				path, want := conversation(t)
				p := start(t, ns, write(t, "ulogd.toml", fmt.Sprintf("stack = \"in:PCAP,base:BASE,flows:FLOW,out:IPFIX\"\n[in]\nfile = [%q]\n[out]\nhost = \"127.0.0.1:%s\"\nproto = \"udp\"\n", path, c.port)))
				if state := p.Wait(20 * time.Second); state.ExitCode() != 0 {
					t.Errorf("exit code %d\n%s", state.ExitCode(), p.Output())
				}
				printed(t, peer, &c, dir, want)
			})
		})
	}
}

func startInstalled(t *testing.T, ns *nstest.NS, c *installed, dir, program string) *nstest.Proc {
	t.Helper()
	peer := ns.Start(t, c.command(dir, program))
	if c.ready != "" {
		peer.WaitOutput(c.ready, 20*time.Second)
		return peer
	}
	ns.Do(t, func() {
		if !nstest.BoundUDP(c.port, nil) {
			t.Fatalf("%s does not listen\n%s", c.name, peer.Output())
		}
	})
	return peer
}

// printed ends the collector and compares what it printed.
func printed(t *testing.T, peer *nstest.Proc, c *installed, dir string, want []flow) {
	t.Helper()
	time.Sleep(2500 * time.Millisecond) // nfacctd prints each second
	stop := syscall.SIGTERM
	if c.name == "nfacctd" { // which takes no other for its end
		stop = syscall.SIGINT
	}
	peer.Stop(stop)
	got := c.flows(t, dir, peer.Output())
	if t.Failed() {
		return
	}
	same(t, got, want)
}

// conversation writes a file of a TCP connection and a UDP exchange, over IPv4 and IPv6, and
// returns its flows.
func conversation(t *testing.T) (path string, want []flow) {
	t.Helper()
	var packets []packettest.Packet
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	for i, hosts := range [][2]string{{"192.0.2.1", "198.51.100.1"}, {"2001:db8::1", "2001:db8:1::1"}} {
		sport := uint16(40000 + i)
		counts := map[string]*flow{}
		put := func(back bool, layer packettest.Layer, proto int, a, b uint16, data int) {
			src, dst := hosts[0], hosts[1]
			if back {
				src, dst, a, b = dst, src, b, a
			}
			var ip packettest.Layer = packettest.IPv4{Src: src, Dst: dst}
			if i == 1 {
				ip = packettest.IPv6{Src: src, Dst: dst}
			}
			raw := packettest.Build(ip, layer, packettest.Raw(make([]byte, data)))
			frame := packettest.Build(packettest.Ethernet{}, ip, layer, packettest.Raw(make([]byte, data)))
			at = at.Add(10 * time.Millisecond)
			packets = append(packets, packettest.Packet{Time: at, Data: frame})
			key := fmt.Sprint(src, a, proto)
			if counts[key] == nil {
				counts[key] = &flow{src: src, dst: dst, sport: int(a), dport: int(b), proto: proto}
			}
			counts[key].packets++
			counts[key].bytes += uint64(len(raw))
		}
		tcp := func(back bool, flags uint8, data int) {
			h := packettest.TCP{Src: sport, Dst: 80, Flags: flags}
			if back {
				h.Src, h.Dst = h.Dst, h.Src
			}
			put(back, h, 6, sport, 80, data)
		}
		tcp(false, packettest.SYN, 0)
		tcp(true, packettest.SYN|packettest.ACK, 0)
		tcp(false, packettest.ACK|packettest.PSH, 100)
		tcp(true, packettest.ACK|packettest.PSH, 1000)
		tcp(true, packettest.ACK|packettest.FIN, 0)
		tcp(false, packettest.ACK|packettest.FIN, 0)
		tcp(true, packettest.ACK, 0)
		put(false, packettest.UDP{Src: sport, Dst: 53}, 17, sport, 53, 40)
		put(true, packettest.UDP{Src: 53, Dst: sport}, 17, sport, 53, 200)
		for _, f := range counts {
			want = append(want, *f)
		}
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
	return path, want
}
