// What is not IP is counted by what it is.

package base

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"ulogd/engine"
	. "ulogd/test/packettest"
)

// counted runs packets and returns BASE's counters of what is not IP.
func counted(t *testing.T, packets []packet) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	m := runInto(t, &feed{packets: packets}, &record{})
	for _, s := range m.Snapshot() {
		for _, c := range s.Counters {
			if name, ok := strings.CutPrefix(c.Name, "not_ip_"); ok && s.Plugin == "BASE" {
				all[name] = c.Value
			}
		}
	}
	return all
}

func TestWhatIsNotIPIsCountedByKind(t *testing.T) {
	var packets []packet
	add := func(etherType uint16, layers ...Layer) {
		packets = append(packets, packet{data: Build(layers...), family: engine.FamilyNetdev, protocol: etherType})
	}
	want := map[string]int64{}
	for _, c := range []struct {
		name      string
		etherType uint16
		layers    []Layer
	}{
		{"lldp", 0x88cc, []Layer{Zeros(40)}},
		{"lldp", TypeVLAN, []Layer{VLAN{ID: 7, Type: 0x88cc}, Zeros(40)}},
		{"slow", 0x8809, []Layer{Zeros(40)}},
		{"arp", TypeVLAN, []Layer{VLAN{ID: 7}, ARP{}}},
		{"stp", 38, []Layer{Raw("\x42\x42\x03"), Zeros(35)}},
		{"stp", 50, []Layer{Raw("\xaa\xaa\x03\x00\x00\x0c\x01\x0b"), Zeros(42)}},
		{"cdp", 60, []Layer{Raw("\xaa\xaa\x03\x00\x00\x0c\x20\x00"), Zeros(42)}},
		{"isis", 60, []Layer{Raw("\xfe\xfe\x03"), Zeros(42)}},
		{"snap", 60, []Layer{Raw("\xaa\xaa\x03\x00\x80\xc2\x20\x00"), Zeros(42)}},
		{"llc_0x7e", 60, []Layer{Raw("\x7e\x7e\x03"), Zeros(42)}},
		{"macsec", 0x88e5, []Layer{Raw("\x0c\x00\x00\x00\x00\x01"), Zeros(42)}},
		{"mpls", TypeMPLS, []Layer{MPLS{Label: 7}, Raw("\x10\x00\x00\x07"), Zeros(42)}},
		{"ppp", TypePPPoE, []Layer{Raw("\x11\x00\x00\x01\x00\x40\xc0\x21"), Zeros(8)}},
		{"0x1234", 0x1234, []Layer{Zeros(42)}},
	} {
		want[c.name]++
		add(c.etherType, c.layers...)
	}
	add(TypeIPv4, IPv4{}, UDP{}) // is IP
	add(TypeVLAN, Raw("\x00"))   // cut: a loss, not another kind
	packets = append(packets, packet{data: Build(ARP{}), family: engine.FamilyARP, protocol: TypeARP})
	want["arp"]++
	if got := counted(t, packets); !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// Somebody who sends frames of all types gets no memory for it.
func TestKindsAreBounded(t *testing.T) {
	var packets []packet
	for i := range 200 {
		packets = append(packets, packet{data: Zeros(40), family: engine.FamilyNetdev, protocol: uint16(0x7000 + i)})
	}
	got := counted(t, packets)
	if len(got) != maxOthers+1 || got["other"] != 200-maxOthers || got[fmt.Sprintf("0x%x", 0x7000)] != 1 {
		t.Errorf("%v", got)
	}
}
