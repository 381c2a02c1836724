package pcap

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "ulogd/plugins/filter/base"
	_ "ulogd/plugins/filter/flow"
	"ulogd/test/nstest"
	pt "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// toFlows runs files through PCAP, BASE and FLOW, and returns what the flows sum up to.
func toFlows(t testing.TB, settings string) (d *stacktest.Daemon, packets, octets uint64) {
	t.Helper()
	name := fmt.Sprint(t.Name(), time.Now().UnixNano())
	d = stacktest.Run(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,flow:FLOW,out:RECORD"
[in]
%s
[out]
name = %q
keys = "orig.raw.pktcount, orig.raw.pktlen"
`, settings, name))
	for _, line := range stacktest.Recorded(name) {
		var p, o uint64
		if _, err := fmt.Sscanf(line, "orig.raw.pktcount=%d orig.raw.pktlen=%d", &p, &o); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		packets, octets = packets+p, octets+o
	}
	return d, packets, octets
}

// tsharkSums counts the IP packets of a capture and their octets, by the lengths that their own
// headers tell.
func tsharkSums(t *testing.T, path string) (packets, octets uint64) {
	t.Helper()
	nstest.Need(t, "tool:tshark")
	out, err := exec.Command("tshark", "-n", "-r", path, "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
		"-T", "fields", "-E", "occurrence=f", "-e", "ip.len", "-e", "ipv6.plen").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		four, six, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		var n uint64
		if four != "" {
			fmt.Sscan(four, &n)
		} else if six != "" {
			fmt.Sscan(six, &n)
			n += 40
		} else {
			continue
		}
		packets, octets = packets+1, octets+n
	}
	return packets, octets
}

// inside is the traffic of the example capture without its Ethernet headers.
func inside() (packets []pt.Packet) {
	for _, p := range exampleTraffic() {
		if kind := be.Uint16(p.Data[12:]); kind == typeIPv4 || kind == typeIPv6 {
			p.Data = p.Data[14:]
			packets = append(packets, p)
		}
	}
	return packets
}

// linkLayers are what stands in front of a packet, for every link type. BSD's numbers of IPv6 are
// Darwin's.
func linkLayers(six bool) map[uint16][]pt.Layer {
	family := uint32(2)
	if six {
		family = 30
	}
	return map[uint16][]pt.Layer{
		linkEthernet: {pt.Ethernet{}}, linkRaw: {}, linkRaw12: {}, linkRaw14: {}, linkSLL: {pt.SLL{}}, linkSLL2: {pt.SLL2{}},
		linkNull: {pt.Null{Family: family}}, linkLoop: {pt.Loop{Family: family}},
		linkPPP: {pt.PPP{}}, linkPPPSerial: {pt.PPP{}}, linkPPPoE: {pt.PPPoE{}}, linkCiscoHDLC: {pt.CiscoHDLC{}}, linkNFLOG: {pt.NFLOG{}},
		linkDot11: {pt.Dot11{}, pt.SNAP{}}, linkRadiotap: {pt.Radiotap{}, pt.Dot11{QoS: true}, pt.SNAP{}},
		linkPrism: {pt.Prism{}, pt.Dot11{}, pt.SNAP{}}, linkAVS: {pt.AVS{}, pt.Dot11{}, pt.SNAP{}},
		linkIPv4: {}, linkIPv6: {},
	}
}

// wrapped gives IP packets the headers of a link type. Those of the other version are left out
// where it has but one.
func wrapped(link uint16, tags ...pt.Layer) (out []pt.Packet) {
	for _, p := range inside() {
		six := p.Data[0]>>4 == 6
		if link == linkIPv4 && six || link == linkIPv6 && !six {
			continue
		}
		layers := append(append([]pt.Layer{}, linkLayers(six)[link]...), tags...)
		out = append(out, pt.Packet{Time: p.Time, Data: around(p.Data, layers...)})
	}
	return out
}

// around puts headers in front of a packet of IP. One of the same length stands for it while they
// are made.
func around(packet []byte, layers ...pt.Layer) []byte {
	var version pt.Layer = pt.IPv4{}
	if packet[0]>>4 == 6 {
		version = pt.IPv6{}
	}
	rest := pt.Zeros(len(packet) - len(pt.Build(version)))
	frame := pt.Build(append(append([]pt.Layer{}, layers...), version, rest)...)
	copy(frame[bytes.Index(frame, pt.Build(version, rest)):], packet)
	return frame
}

func writeCapture(t testing.TB, link uint16, packets []pt.Packet) string {
	t.Helper()
	var b bytes.Buffer
	if err := pt.WritePcap(&b, uint32(link), pt.Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "test.pcap", b.Bytes())
}

func writeFile(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFlowsOfEveryLinkType holds packets and octets, summed over the flows, to what another decoder
// counts.
func TestFlowsOfEveryLinkType(t *testing.T) {
	type form struct {
		link uint16
		tags []pt.Layer
	}
	vlan, qinq, mpls := pt.VLAN{ID: 7}, pt.VLAN{ID: 9, TPID: 0x88a8}, pt.MPLS{Label: 77}
	forms := []form{
		{linkEthernet, []pt.Layer{vlan}},
		{linkEthernet, []pt.Layer{qinq, vlan}},
		{linkEthernet, []pt.Layer{qinq, vlan, vlan, vlan}},
		{linkEthernet, []pt.Layer{mpls}},
		{linkEthernet, []pt.Layer{vlan, mpls, mpls, mpls}},
		{linkSLL, []pt.Layer{vlan}},
		{linkPPP, []pt.Layer{mpls, mpls}},
		{linkCiscoHDLC, []pt.Layer{mpls}},
	}
	for link := range linkLayers(false) {
		forms = append(forms, form{link, nil})
	}
	for _, f := range forms {
		t.Run(fmt.Sprintf("%d%T", f.link, f.tags), func(t *testing.T) {
			path := writeCapture(t, f.link, wrapped(f.link, f.tags...))
			wantPackets, wantOctets := tsharkSums(t, path)
			d, packets, octets := toFlows(t, fmt.Sprintf("file = %q", path))
			if packets != wantPackets || octets != wantOctets || packets == 0 {
				t.Errorf("%d packets of %d octets, tshark has %d of %d\n%s", packets, octets, wantPackets, wantOctets, d.Sums())
			}
		})
	}
}

// TestFlowsOfEncapsulatedLinkTypes is TestFlowsOfEveryLinkType for headers of routers, firewalls and
// other headers, as far as tshark reads them, in one file.
func TestFlowsOfEncapsulatedLinkTypes(t *testing.T) {
	type form struct {
		link   uint16
		layers []pt.Layer
	}
	forms := func(six bool) []form {
		family := uint32(2)
		if six {
			family = 24
		}
		return []form{
			{linkPPPDir, []pt.Layer{pt.Prefix{1}, pt.PPP{}}},
			{linkFRelay, []pt.Layer{pt.FRelay{}}},
			{linkFRelay, []pt.Layer{pt.FRelay{Cisco: true}}},
			{linkFRelay, []pt.Layer{pt.FRelay{SNAP: true}}},
			{linkPPI, []pt.Layer{pt.PPI{Link: linkEthernet}, pt.Ethernet{}}},
			{linkPPI, []pt.Layer{pt.PPI{Link: linkDot11}, pt.Dot11{}, pt.SNAP{}}},
			{linkPKTAP, []pt.Layer{pt.PKTAP{Link: linkEthernet}, pt.Ethernet{}}},
			{linkPFLOG, []pt.Layer{pt.PFLOG{Family: uint8(family)}}},
			{linkEnc, []pt.Layer{pt.Enc{Family: family}}},
			{linkJuniperEther, []pt.Layer{pt.Juniper{}, pt.Ethernet{}}},
			{linkJuniperEther, []pt.Layer{pt.Juniper{Extended: true}, pt.Ethernet{}}},
			{linkJuniperPPPoE, []pt.Layer{pt.Juniper{}, pt.Ethernet{}}},
			{linkJuniperPPP, []pt.Layer{pt.Juniper{}, pt.PPP{}}},
			{linkJuniperCHDLC, []pt.Layer{pt.Juniper{}, pt.CiscoHDLC{}}},
			{linkJuniperFRelay, []pt.Layer{pt.Juniper{}, pt.FRelay{}}},
			{linkJuniperATM1, []pt.Layer{pt.Juniper{Cookie: []byte{0, 0, 1, 0}}, pt.SNAP{}}},
			{linkJuniperATM2, []pt.Layer{pt.Juniper{Cookie: make([]byte, 8)}, pt.SNAP{}}},
		}
	}
	var file pt.PcapNG
	var packets []pt.Packet
	for i, f := range forms(false) {
		file.Interfaces = append(file.Interfaces, pt.Interface{Link: f.link})
		for _, p := range inside() {
			layers := forms(p.Data[0]>>4 == 6)[i].layers
			packets = append(packets, pt.Packet{Time: p.Time, Data: around(p.Data, layers...), Port: uint32(i)})
		}
	}
	var b bytes.Buffer
	if err := pt.WritePcapNG(&b, file, packets); err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, "all.pcapng", b.Bytes())
	wantPackets, wantOctets := tsharkSums(t, path)
	d, packetsSum, octets := toFlows(t, fmt.Sprintf("file = %q", path))
	if packetsSum != wantPackets || octets != wantOctets || packetsSum != uint64(len(packets)) {
		t.Errorf("%d packets of %d octets, tshark has %d of %d, written are %d\n%s", packetsSum, octets, wantPackets,
			wantOctets, len(packets), d.Sums())
	}
}

// TestFilteredFlowsAreTcpdumpsChoice reads the example with filters and compares what is left with
// tcpdump's choice.
func TestFilteredFlowsAreTcpdumpsChoice(t *testing.T) {
	nstest.Need(t, "tool:tcpdump")
	all := exampleTraffic()
	for _, expression := range []string{"udp", "not ip", "ip6 and tcp port 443", "host 192.0.2.53 or vlan 42", "greater 1000", "arp"} {
		t.Run(expression, func(t *testing.T) {
			left := filepath.Join(t.TempDir(), "left.pcap")
			if out, err := exec.Command("tcpdump", "-n", "-Z", "root", "-r", examplePath, "-w", left, expression).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			_, wantPackets, wantOctets := toFlows(t, fmt.Sprintf("file = %q", left))
			d, packets, octets := toFlows(t, fmt.Sprintf("file = %q\nfilter = %q", examplePath, expression))
			if packets != wantPackets || octets != wantOctets {
				t.Errorf("flows have %d packets of %d octets, want %d of %d", packets, octets, wantPackets, wantOctets)
			}
			s := d.Stats("in")
			if s.Made != int64(len(all)) || s.Filtered != s.Made-s.Out || s.Filtered == 0 || s.Dropped != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestFramesWithoutNetworkLayerPassTheFilterFirst: what carries no packet is filtered, whether the
// filter leaves it out or not.
func TestFramesWithoutNetworkLayerPassTheFilterFirst(t *testing.T) {
	path := writeCapture(t, linkNull, []pt.Packet{
		{Data: pt.Build(pt.Null{}, pt.IPv4{}, pt.UDP{})},
		{Data: pt.Build(pt.Null{Family: 16}, pt.Zeros(40))},
	})
	for filter, want := range map[string]string{"": "1 1 0 1", "ip": "1 1 0 0", "not ip": "0 2 0 1", "not ip6": "1 1 0 1"} {
		d := stacktest.Run(t, fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
file = %q
filter = %q
`, path, filter))
		s := d.Stats("in")
		if got := fmt.Sprint(s.Out, s.Filtered, s.Dropped, d.Count("in", "no_packet")); got != want {
			t.Errorf("filter %q: out, filtered, dropped and frames without a packet are %s, want %s", filter, got, want)
		}
	}
}

func TestFilesInOrder(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i, name := range []string{"z.pcap", "b2.pcap", "b1.pcap", "a.pcap"} {
		var b bytes.Buffer
		data := pt.Build(pt.IPv4{}, pt.UDP{Src: uint16(i)})
		if err := pt.WritePcap(&b, linkRaw, pt.Pcap{}, []pt.Packet{{Time: time.Unix(int64(i), 0), Data: data}}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{3, 1, 2, 0} { // a, then the glob by time, then z
		want = append(want, fmt.Sprintf("oob.time.sec=%d", i))
	}
	stacktest.Run(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,out:RECORD"
[in]
file = ["%[1]s/a.pcap", "%[1]s/b*.pcap", "%[1]s/z.pcap"]
[out]
name = %[2]q
keys = "oob.time.sec"
`, dir, t.Name()))
	if got := stacktest.Recorded(t.Name()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnreadableFileCostsItselfAlone(t *testing.T) {
	garbage := writeFile(t, "b.pcap", []byte("GIF89a, and more than enough of it"))
	whole, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	cut := writeFile(t, "c.pcap", whole[:len(whole)-20])
	log := &stacktest.Log{}
	m := stacktest.Plan(t, "test.toml", fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
file = [%[1]q, %[2]q, %[3]q, %[2]q, %[1]q]
`,
		examplePath, garbage, cut), log).Machine
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	m.Start()
	<-m.Ended()
	if err := m.Wait(); err == nil || !strings.Contains(err.Error(), "2 of 5 capture files could not be read") {
		t.Errorf("ends with %v", err)
	}
	n := int64(len(exampleTraffic()))
	s := m.Snapshot()[0]
	if s.Made != 3*n-1 || s.Out != s.Made || fmt.Sprint(s.Counters) != "[{unreadable_files 2} {damaged_files 1}]" {
		t.Errorf("%+v", s)
	}
	for _, want := range []string{"ERROR a capture file is left out", "b.pcap is not a capture file", "WARN " + cut + ": offset "} {
		if !log.Has(want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

func TestFirstFileMustBeACapture(t *testing.T) {
	garbage := writeFile(t, "b.pcap", []byte("GIF89a, and more than enough of it"))
	for file, want := range map[string]string{
		garbage:          garbage + " is not a capture file: it begins with 47 49 46 38",
		"/nowhere/a":     "open capture file: stat /nowhere/a: no such file or directory",
		"/nowhere/*":     "no capture file matches /nowhere/*",
		t.TempDir():      "is a directory",
		garbage + "\x00": "invalid argument",
	} {
		m := stacktest.Plan(t, "test.toml", fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
file = %q
`, file), &stacktest.Log{}).Machine
		if err := m.Open(); err == nil || !strings.HasPrefix(err.Error(), "in:PCAP: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for _, c := range []struct {
		in   input
		want string
	}{
		{input{}, "file: name a capture file"},
		{input{settings: settings{patterns: []string{"a"}, ifaces: []string{"lo"}}}, "interface: either file or interface"},
		{
			input{settings: settings{ifaces: []string{"lo"}, snaplen: 1 << 30}},
			"snaplen: must be between 1 and 262144, is 1073741824",
		},
		{input{settings: settings{ifaces: []string{"lo"}}}, "fanout: must be between 1 and 64, is 0"},
		{
			input{settings: settings{ifaces: []string{"lo"}, expression: "ether host"}},
			`filter: filter "ether host": "ether" is not supported`,
		},
		{input{settings: settings{patterns: []string{"a"}, expression: "port"}}, "filter: "},
		{input{settings: settings{ifaces: []string{"eth0", "eth1", "eth0"}}}, "interface: eth0 is named twice"},
		{input{settings: settings{ifaces: []string{"eth0", "any"}}}, "interface: any stands for all interfaces"},
	} {
		if err := c.in.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.in.settings, err, c.want)
		}
	}
}

// TestNoAllocations: a file ten times as long takes no more memory.
func TestNoAllocations(t *testing.T) {
	var mallocs [2]float64
	for i, n := range []int{10_000, 100_000} {
		path := filepath.Join(t.TempDir(), "trace.pcap")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (pt.Trace{Packets: n, Flows: n / 8}).Write(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		mallocs[i] = testing.AllocsPerRun(1, func() {
			stacktest.Run(t, fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
file = %q
filter = "ip or ip6"
`, path))
		})
	}
	if more := mallocs[1] - mallocs[0]; more > 100 {
		t.Errorf("90,000 packets more make %v allocations more", more)
	}
}

// FuzzStack reads files of any octets through to flows. Whatever they hold, every record that is
// found is in some counter, the packets of IP in flows.
func FuzzStack(f *testing.F) {
	for _, c := range captures(f, exampleTraffic()[:6]) {
		f.Add(c)
	}
	for link := range linkLayers(false) {
		var b bytes.Buffer
		pt.WritePcap(&b, uint32(link), pt.Pcap{}, wrapped(link)[:3])
		f.Add(b.Bytes())
	}
	for link, packets := range map[uint32][]pt.Packet{linkNFLOG: logs(), linkDot11: aggregates(4)} {
		var b bytes.Buffer
		pt.WritePcap(&b, link, pt.Pcap{}, packets)
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		found, file, _ := readAll("x", bytes.NewReader(content))
		if file == nil {
			return
		}
		d, packets, _ := toFlows(t, fmt.Sprintf("file = %q", writeFile(t, "x.pcap", content)))
		in, flow := d.Stats("in"), d.Stats("flow")
		records := int64(file.bad)
		for _, p := range found {
			records += packetsIn(p)
		}
		if in.Made != records {
			t.Fatalf("%d records are made of %d, %d of them bad\n%s", in.Made, records, file.bad, d.Sums())
		}
		if int64(packets) != flow.Absorbed {
			t.Fatalf("flows have %d packets\n%s", packets, d.Sums())
		}
	})
}

// packetsIn counts the records that a frame makes: one, but for aggregates.
func packetsIn(p seen) (n int64) {
	h, ok := network(p.link, []byte(p.data))
	for pos := int(h.net); ok && h.aggregate && pos > 0; n++ {
		_, pos, _ = h.subframe([]byte(p.data), pos)
	}
	return max(n, 1)
}
