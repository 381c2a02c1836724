package pcap

import (
	"bytes"
	"flag"
	"os"
	"testing"
	"time"

	"ulogd/test/packettest"
)

var update = flag.Bool("update", false, "write testdata/example.pcap anew")

const examplePath = "testdata/example.pcap"

// TestExampleCapture holds the capture that ulogd.toml.example reads to what makes it.
func TestExampleCapture(t *testing.T) {
	var b bytes.Buffer
	if err := packettest.WritePcap(&b, packettest.LinkEthernet, packettest.Pcap{}, exampleTraffic()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(examplePath, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not what exampleTraffic makes; run this test with -update", examplePath)
	}
}

// traffic gathers packets on one clock.
type traffic struct {
	packets []packettest.Packet
	now     time.Time
}

func (tr *traffic) send(gap time.Duration, layers ...packettest.Layer) {
	tr.now = tr.now.Add(gap)
	tr.packets = append(tr.packets, packettest.Packet{Time: tr.now, Data: packettest.Build(layers...)})
}

// exampleTraffic is a minute in a small network: a web page by IPv4 and one by IPv6, a name lookup,
// pings, a fragmented datagram, a connection in a VLAN, a refused connection and an ARP exchange.
// Addresses are from the documentation ranges.
func exampleTraffic() []packettest.Packet {
	tr := &traffic{now: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)}
	const (
		client, server, dns = "192.0.2.10", "198.51.100.80", "192.0.2.53"
		client6, server6    = "2001:db8::10", "2001:db8:80::1"
		ms                  = time.Millisecond
	)
	eth := packettest.Ethernet{Src: packettest.MAC{2, 0, 0, 0, 0, 0x10}, Dst: packettest.MAC{2, 0, 0, 0, 0, 1}}
	back := packettest.Ethernet{Src: eth.Dst, Dst: eth.Src}

	tr.send(0, eth, packettest.ARP{Sender: client, Target: "192.0.2.1", SenderMAC: eth.Src})
	tr.send(ms, back, packettest.ARP{Op: 2, Sender: "192.0.2.1", Target: client, SenderMAC: eth.Dst, AskedAt: eth.Src})

	tr.send(3*ms, eth, packettest.IPv4{Src: client, Dst: dns}, packettest.UDP{Src: 41000, Dst: 53}, payload(38))
	tr.send(12*ms, back, packettest.IPv4{Src: dns, Dst: client}, packettest.UDP{Src: 53, Dst: 41000}, payload(118))

	out, in := packettest.IPv4{Src: client, Dst: server, DF: true}, packettest.IPv4{Src: server, Dst: client, DF: true}
	conversation(tr, []packettest.Layer{eth, out}, []packettest.Layer{back, in}, 50312, 443, 8)
	out6, in6 := packettest.IPv6{Src: client6, Dst: server6}, packettest.IPv6{Src: server6, Dst: client6}
	conversation(tr, []packettest.Layer{eth, out6}, []packettest.Layer{back, in6}, 50314, 443, 5)
	vlan := packettest.VLAN{ID: 42}
	conversation(tr, []packettest.Layer{eth, vlan, packettest.IPv4{Src: "203.0.113.7", Dst: "203.0.113.22"}},
		[]packettest.Layer{back, vlan, packettest.IPv4{Src: "203.0.113.22", Dst: "203.0.113.7"}}, 39044, 22, 3)

	for i := range uint32(4) {
		tr.send(996*ms, eth, out, packettest.ICMP{Type: 8, Rest: 77<<16 | i}, payload(56))
		tr.send(4*ms, back, in, packettest.ICMP{Type: 0, Rest: 77<<16 | i}, payload(56))
	}
	tr.send(20*ms, eth, out6, packettest.ICMPv6{Type: 128, Rest: 78 << 16}, payload(56))
	tr.send(5*ms, back, in6, packettest.ICMPv6{Type: 129, Rest: 78 << 16}, payload(56))

	// A datagram of 3,000 octets in three pieces; only the first has the ports.
	whole := packettest.Build(packettest.UDP{Src: 6000, Dst: 6001}, payload(2992))
	for at := 0; at < len(whole); at += 1480 {
		end := min(at+1480, len(whole))
		tr.send(ms, eth, packettest.IPv4{Src: client, Dst: dns, Proto: 17, ID: 4711, Offset: at, MF: end < len(whole)}, packettest.Raw(whole[at:end]))
	}

	tr.send(30*ms, eth, out, packettest.TCP{Src: 50316, Dst: 23, Seq: 9, Flags: packettest.SYN})
	tr.send(8*ms, back, in, packettest.TCP{Src: 23, Dst: 50316, Ack: 10, Flags: packettest.RST | packettest.ACK})
	return tr.packets
}

// conversation is a TCP connection: handshake, a request, n full segments of answer each
// acknowledged, and an orderly end.
func conversation(tr *traffic, there, back []packettest.Layer, sport, dport uint16, n int) {
	const gap = 9 * time.Millisecond
	cseq, sseq := uint32(1000), uint32(5000)
	client := func(flags uint8, data int) {
		tr.send(gap, append(append([]packettest.Layer{}, there...), packettest.TCP{Src: sport, Dst: dport, Seq: cseq, Ack: sseq, Flags: flags}, payload(data))...)
		cseq += uint32(data)
	}
	server := func(flags uint8, data int) {
		tr.send(gap, append(append([]packettest.Layer{}, back...), packettest.TCP{Src: dport, Dst: sport, Seq: sseq, Ack: cseq, Flags: flags}, payload(data))...)
		sseq += uint32(data)
	}
	client(packettest.SYN, 0)
	cseq++
	server(packettest.SYN|packettest.ACK, 0)
	sseq++
	client(packettest.ACK, 0)
	client(packettest.PSH|packettest.ACK, 310)
	for range n {
		server(packettest.ACK, 1400)
		client(packettest.ACK, 0)
	}
	server(packettest.FIN|packettest.ACK, 0)
	sseq++
	client(packettest.FIN|packettest.ACK, 0)
	cseq++
	server(packettest.ACK, 0)
}

func payload(n int) packettest.Layer { return packettest.Raw(make([]byte, n)) }
