package packettest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// dissect prints chosen fields of a capture file as tshark sees them, one packet a line.
func dissect(t *testing.T, file string, fields ...string) []string {
	t.Helper()
	nstest.Need(t, "tool:tshark")
	args := []string{
		"-r", file, "-n", "-T", "fields", "-E", "separator=/s",
		"-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command("tshark", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark %s: %v\n%s", file, err, &stderr)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}

func write(t *testing.T, name string, fill func(f *os.File) error) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func TestLayersAreWhatTsharkSees(t *testing.T) {
	udp := []Layer{IPv4{Src: "10.1.2.3"}, UDP{Src: 40007, Dst: 40009}, Raw("hello")}
	cases := []struct {
		link   uint16
		layers []Layer
		want   string
	}{
		{LinkEthernet, []Layer{Ethernet{}, IPv4{}, TCP{Src: 1, Dst: 9, Flags: SYN}}, "eth:ethertype:ip:tcp"},
		{LinkEthernet, []Layer{Ethernet{}, VLAN{ID: 5, TPID: TypeQinQ}, VLAN{ID: 6}, IPv4{}, UDP{Src: 1, Dst: 9}, Raw("x")}, "eth:ethertype:ieee8021ad:ethertype:vlan:ethertype:ip:udp:data"},
		{LinkEthernet, []Layer{Ethernet{}, MPLS{Label: 3000}, MPLS{Label: 18}, IPv6{}, ICMPv6{Type: 128}}, "eth:ethertype:mpls:ipv6:icmpv6"},
		{LinkEthernet, []Layer{Ethernet{}, ARP{}}, "eth:ethertype:arp"},
		{LinkEthernet, []Layer{Ethernet{}, IPv6{}, HopByHop{Extra: 1}, DestinationOptions{}, UDP{Src: 1, Dst: 9}, Raw("x")}, "eth:ethertype:ipv6:ipv6.hopopts:ipv6.dstopts:udp:data"},
		{LinkEthernet, []Layer{Ethernet{}, IPv4{}, GRE{Key: true}, IPv4{}, ICMP{Type: 8}}, "eth:ethertype:ip:gre:ip:icmp"},
		{LinkEthernet, []Layer{Ethernet{}, IPv4{}, UDP{Src: 1, Dst: 4789}, VXLAN{VNI: 1}, Ethernet{}, IPv4{}, ICMP{Type: 8}}, "eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:icmp"},
		{LinkEthernet, []Layer{Ethernet{}, IPv4{}, UDP{Src: 1, Dst: 6081}, Geneve{Options: Zeros(8)}, Ethernet{}, IPv4{}, ICMP{Type: 8}}, "eth:ethertype:ip:udp:geneve:eth:ethertype:ip:icmp"},
		{LinkEthernet, []Layer{Ethernet{}, IPv4{}, SCTP{Src: 1, Dst: 2}, Raw("x")}, "eth:ethertype:ip:sctp:data"},
		{LinkEthernet, []Layer{Ethernet{}, IPv4{}, DCCP{Src: 1, Dst: 2}, Raw("x")}, "eth:ethertype:ip:dccp:data"},
		{LinkEthernet, []Layer{Ethernet{}, IPv4{}, AH{}, UDPLite{Src: 1, Dst: 9}, Raw("x")}, "eth:ethertype:ip:ah:udplite:data"},
		{LinkEthernet, []Layer{Ethernet{}, IPv4{}, ESP{SPI: 1}, Zeros(20)}, "eth:ethertype:ip:esp"},
		{LinkEthernet, append([]Layer{Ethernet{}, PPPoE{}}, udp...), "eth:ethertype:pppoes:ppp:ip:udp:data"},
		{LinkNull, append([]Layer{Null{}}, udp...), "null:ip:udp:data"},
		{LinkNull, append([]Layer{Null{BigEndian: true}}, udp...), "null:ip:udp:data"},
		{LinkLoop, append([]Layer{Loop{}}, udp...), "null:ip:udp:data"},
		{LinkPPP, append([]Layer{PPP{}}, udp...), "ppp:ip:udp:data"},
		{LinkPPP, append([]Layer{PPP{Compressed: true}}, udp...), "ppp:ip:udp:data"},
		{LinkPPPSerial, append([]Layer{PPP{}}, udp...), "ppp:ip:udp:data"},
		{LinkPPPoE, append([]Layer{PPPoE{}}, udp...), "pppoes:ppp:ip:udp:data"},
		{LinkRaw, udp, "raw:ip:udp:data"},
		{LinkIPv4, udp, "ip:udp:data"},
		{LinkCiscoHDLC, append([]Layer{CiscoHDLC{}}, udp...), "chdlc:ip:udp:data"},
		{LinkSLL, append([]Layer{SLL{}}, udp...), "sll:ethertype:ip:udp:data"},
		{LinkSLL2, append([]Layer{SLL2{Ifindex: 3}}, udp...), "sll:ethertype:ip:udp:data"},
		{LinkNFLOG, append([]Layer{NFLOG{In: 2, Prefix: "odd"}}, udp...), "nflog:ip:udp:data"},
		{LinkDot11, append([]Layer{Dot11{ToDS: true, QoS: true}, SNAP{}}, udp...), "wlan:llc:ip:udp:data"},
		{LinkDot11, append([]Layer{Dot11{ToDS: true, FromDS: true}, SNAP{}}, udp...), "wlan:llc:ip:udp:data"},
		{LinkDot11, append([]Layer{Dot11{FromDS: true, QoS: true, HTControl: true}, SNAP{}}, udp...), "wlan:llc:ip:udp:data"},
		{LinkRadiotap, append([]Layer{Radiotap{Flags: 0x20}, Dot11{QoS: true, Pad: true}, SNAP{}}, udp...), "radiotap:wlan_radio:wlan:llc:ip:udp:data"},
		{LinkRadiotap, append([]Layer{Radiotap{Extended: true}, Dot11{}, SNAP{}}, udp...), "radiotap:wlan_radio:wlan:llc:ip:udp:data"},
		{LinkPrism, append([]Layer{Prism{}, Dot11{}, SNAP{}}, udp...), "prism:wlan_radio:wlan:llc:ip:udp:data"},
		{LinkAVS, append([]Layer{AVS{}, Dot11{}, SNAP{}}, udp...), "wlancap:wlan_radio:wlan:llc:ip:udp:data"},
	}
	var form PcapNG
	var packets []Packet
	for i, c := range cases {
		form.Interfaces = append(form.Interfaces, Interface{Link: c.link})
		packets = append(packets, Packet{Time: time.Unix(1, 0), Data: Build(c.layers...), Port: uint32(i)})
	}
	file := write(t, "layers.pcapng", func(f *os.File) error { return WritePcapNG(f, form, packets) })
	got := dissect(t, file, "frame.protocols", "_ws.malformed", "ip.checksum.status", "udp.checksum.status", "tcp.checksum.status")
	for i, c := range cases {
		if fields := strings.Fields(got[i]); fields[0] != c.want {
			t.Errorf("link type %d, %T: tshark sees %s, want %s", c.link, c.layers, fields[0], c.want)
		}
		if strings.Contains(got[i], "Malformed") || strings.Contains(got[i], " 0") {
			t.Errorf("%s: malformed or a wrong checksum: %s", c.want, got[i])
		}
	}
}

func TestFilesAreWhatTsharkReads(t *testing.T) {
	var packets []Packet
	for i := range 3 {
		packets = append(packets, Packet{
			Time: time.Unix(1714564800, int64(i)*250_000_000), Wire: 900 + i,
			Data: Build(Ethernet{}, IPv4{}, UDP{Src: 1, Dst: uint16(5 + i)}, Zeros(100)),
		})
	}
	want := []string{"1714564800.000000000 900 142", "1714564800.250000000 901 142", "1714564800.500000000 902 142"}
	files := map[string]string{}
	for _, form := range []Pcap{{}, {BigEndian: true}, {Nano: true}, {Nano: true, BigEndian: true}, {Modified: true}} {
		files[fmt.Sprintf("%+v", form)] = write(t, "c.pcap", func(f *os.File) error {
			return WritePcap(f, LinkEthernet, form, packets)
		})
	}
	for i, resolution := range []uint8{0, 6, 9, 3, 10, 0x80 | 20} {
		form := PcapNG{BigEndian: i%2 == 0, Strange: true, Interfaces: []Interface{{Link: 1, Resolution: resolution, Offset: 1714564000}}}
		files[fmt.Sprintf("%+v", form)] = write(t, "c.pcapng", func(f *os.File) error {
			return WritePcapNG(f, form, packets)
		})
	}
	for form, file := range files {
		got := dissect(t, file, "frame.time_epoch", "frame.len", "frame.cap_len")
		if strings.Contains(form, "Strange") && len(got) == 4 {
			got = got[1:] // tshark lists the block that it does not know
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: tshark reads %q, want %q", form, got, want)
		}
	}
}

func TestTraceIsWhatItSays(t *testing.T) {
	trace := Trace{Seed: 1, Packets: 50000, Flows: 6000}
	var first, second bytes.Buffer
	n, err := trace.Write(&first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trace.Write(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Fatal("two runs differ")
	}
	if n < 48000 || n > 50000 {
		t.Errorf("%d packets, want about 50000", n)
	}
	file := write(t, "trace.pcap", func(f *os.File) error { _, err := f.Write(first.Bytes()); return err })
	keys := map[string]bool{}
	var tcp, six int
	var last string
	lines := dissect(t, file, "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.proto", "ipv6.nxt", "tcp.port", "udp.port", "icmp.ident", "icmpv6.echo.identifier")
	for _, l := range lines {
		at, key, _ := strings.Cut(l, " ")
		if at < last {
			t.Fatalf("time goes back from %s to %s", last, at)
		}
		last = at
		keys[key] = true
		f := strings.Fields(key)
		if strings.Contains(f[0], ":") {
			six++
		}
		if f[2] == "6" {
			tcp++
		}
	}
	if len(lines) != n {
		t.Errorf("tshark reads %d packets of %d", len(lines), n)
	}
	if share := float64(tcp) / float64(n); share < 0.65 || share > 0.85 {
		t.Errorf("TCP share %.2f", share)
	}
	if share := float64(six) / float64(n); share < 0.05 || share > 0.3 {
		t.Errorf("IPv6 share %.2f", share)
	}
	if len(keys) < 5000 || len(keys) > 7000 {
		t.Errorf("%d flows, want about 6000", len(keys))
	}
}
