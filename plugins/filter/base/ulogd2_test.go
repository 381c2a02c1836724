package base

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"ulogd/engine"
)

// sample reads the packets that ulogd2 logged into testdata/packets.pcap (raw IP).
func sample(t testing.TB) (packets []packet) {
	b, err := os.ReadFile("testdata/packets.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for b = b[24:]; len(b) > 0; {
		n := binary.LittleEndian.Uint32(b[8:])
		data := b[16 : 16+n]
		p := packet{data: data, family: engine.FamilyIPv4, protocol: engine.EtherIPv4}
		if data[0]>>4 == 6 {
			p.family, p.protocol = engine.FamilyIPv6, engine.EtherIPv6
		}
		packets = append(packets, p)
		b = b[16+n:]
	}
	return packets
}

// What ulogd2 printed of 54 packets: 2.0.8 of the IPv4 ones, and its successor of the IPv6 ones,
// whose addresses 2.0.8 cannot print.
func wanted(t testing.TB) []map[string]string {
	rows, rows6 := golden(t.(*testing.T), "testdata/base-2.0.8.txt"), golden(t.(*testing.T), "testdata/base-2.0.9git.txt")
	for i, p := range sample(t) {
		if p.family == engine.FamilyIPv6 {
			rows[i] = rows6[i]
		}
	}
	return rows
}

func TestCompatGivesWhatULOGD2Printed(t *testing.T) {
	out := &record{}
	run(t, &feed{packets: sample(t)}, out, "compat=ulogd2")
	for i, want := range wanted(t) {
		if d := diff(printed(out.rows[i]), want); d != "" {
			t.Errorf("packet %d: %s", i+1, d)
		}
	}
}

// By default only ulogd2's wrong values differ, as listed here by packet.
func TestDefaultMendsULOGD2sDefects(t *testing.T) {
	const tcp = "tcp.offset 0 5 "
	differences := map[int]string{
		1:  "tcp.offset 0 6",
		7:  "tcp.offset 0 5 tcp.reserved 0 14",
		18: "icmp.gateway 254.0.77.10 10.77.0.254", 20: "icmp.gateway 0.0.0.20 20.0.0.0",
		23: "ahesp.spi - 3735928559", 24: "ahesp.spi - 3405691582", 49: "ahesp.spi - 3735928559", 50: "ip.protocol - 50 ip6.nexthdr - 50 ahesp.spi - 3405691582",
		30: "udp.sport 16962 - udp.dport 16962 - udp.len 16962 - udp.csum 16962 -",
		32: "ip.saddr - 10.77.0.2 ip.daddr - 10.77.0.1 ip.protocol - 17 ip.tos - 0 ip.ttl - 64 ip.totlen - 20 ip.ihl - 5 ip.csum - 21513 ip.id - 4660 ip.fragoff - 0",
		44: "sctp.sport - 3000 sctp.dport - 3001 sctp.csum - 1394336905",
	}
	for _, i := range []int{2, 3, 4, 5, 6, 37, 45} {
		differences[i] = tcp
	}
	out := &record{}
	run(t, &feed{packets: sample(t)}, out)
	for i, want := range wanted(t) {
		for _, name := range []string{"icmp.csum", "icmpv6.csum"} {
			if v, ok := want[name]; ok {
				var n uint16
				fmt.Sscan(v, &n)
				want[name] = fmt.Sprint(n>>8 | n<<8)
			}
		}
		for f := strings.Fields(differences[i+1]); len(f) > 0; f = f[3:] {
			name, theirs, ours := f[0], f[1], f[2]
			if v, ok := want[name]; ok && v != theirs || !ok && theirs != "-" {
				t.Fatalf("packet %d: ulogd2's %s is %q, not %s", i+1, name, v, theirs)
			}
			want[name] = ours
			if ours == "-" {
				delete(want, name)
			}
		}
		if d := diff(printed(out.rows[i]), want); d != "" {
			t.Errorf("packet %d: %s", i+1, d)
		}
	}
}

// printed leaves out the keys that ulogd2 lacks, and raw data, which it does not print.
func printed(row map[string]string) map[string]string {
	row = maps.Clone(row)
	for _, k := range []string{"flow.tuple", "flow.octets", "flow.fragid", "tcp.flags", "oob.vlan.id", "oob.family", "arp.shwaddr", "arp.dhwaddr"} {
		delete(row, k)
	}
	for _, k := range []string{"tcp.urg", "tcp.ack", "tcp.psh", "tcp.rst", "tcp.syn", "tcp.fin"} {
		if v, ok := row[k]; ok && v != "0" && v != "1" {
			row[k] = "not a truth value: " + v
		}
	}
	return row
}

func diff(got, want map[string]string) string {
	var d []string
	for k, v := range got {
		if w, ok := want[k]; !ok || w != v {
			d = append(d, fmt.Sprintf("%s is %s, want %q", k, v, w))
		}
	}
	for k, w := range want {
		if _, ok := got[k]; !ok {
			d = append(d, fmt.Sprintf("%s is missing, want %s", k, w))
		}
	}
	slices.Sort(d)
	return strings.Join(d, "; ")
}

// A key that nobody reads is not computed, and leaves the others as they are.
func TestEachKeyAlone(t *testing.T) {
	all := &record{}
	run(t, &feed{packets: sample(t)}, all)
	names := map[string]bool{}
	for _, row := range all.rows {
		for k := range row {
			names[k] = true
		}
	}
	delete(names, "flow.tuple")
	for name := range names {
		one := &record{names: []string{name}}
		run(t, &feed{packets: sample(t)}, one)
		for i, row := range one.rows {
			if row[name] != all.rows[i][name] {
				t.Errorf("packet %d: %s alone is %q, with all keys %q", i+1, name, row[name], all.rows[i][name])
			}
		}
	}
}
