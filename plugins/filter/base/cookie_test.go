// What only the ends of a tunnel know, and what no tunnel is.

package base

import (
	"testing"

	"ulogd/engine"
	. "ulogd/test/packettest"
)

// TestWhatNothingAnnounces: cookies of L2TPv3, whose length is not told, and frames in GTP-U.
func TestWhatNothingAnnounces(t *testing.T) {
	for _, inner := range [][]Layer{
		{Ethernet{}, IPv4{Src: "10.0.0.1"}, UDP{Src: 7, Dst: 9}},
		{Ethernet{Src: MAC{1, 2, 3}}, VLAN{ID: 7}, IPv4{Src: "10.0.0.1"}, UDP{Src: 7, Dst: 9}},
		{Ethernet{}, IPv6{Src: "2001:db8::a"}, UDP{Src: 7, Dst: 9}},
		{Ethernet{}, VLAN{ID: 7, TPID: TypeQinQ}, VLAN{ID: 8}, IPv6{Src: "2001:db8::a"}, UDP{Src: 7, Dst: 9}},
		{Ethernet{}, PPPoE{}, IPv4{Src: "10.0.0.1"}, UDP{Src: 7, Dst: 9}},
		{Ethernet{}, MPLS{}, IPv4{Src: "10.0.0.1"}, UDP{Src: 7, Dst: 9}},
	} {
		for name, outer := range map[string][]Layer{
			"no cookie":          {IPv4{Proto: 115}, Raw("\x00\x00\x00\x05")},
			"cookie of 4":        {IPv4{Proto: 115}, Raw("\x00\x00\x00\x05abcd")},
			"cookie of 8":        {IPv4{Proto: 115}, Raw("\x00\x00\x00\x05abcdefgh")},
			"cookie, sublayer":   {IPv4{Proto: 115}, Raw("\x00\x00\x00\x05abcdefgh\x40\x00\x00\x01")},
			"in UDP":             {IPv4{}, UDP{Dst: 1701}, Raw("\x00\x03\x00\x00\x00\x00\x00\x05")},
			"in UDP, cookie":     {IPv4{}, UDP{Dst: 1701}, Raw("\x00\x03\x00\x00\x00\x00\x00\x05abcdefgh")},
			"answer":             {IPv4{}, UDP{Src: 1701, Dst: 99}, Raw("\x00\x03\x00\x00\x00\x00\x00\x05abcdefgh")},
			"frame in GTP-U":     {IPv4{}, UDP{Dst: 2152}, Raw("\x30\xff\x00\x40\x00\x00\x00\x07")},
			"frame in SRv6":      {IPv6{Next: 143}},
			"frame in ERSPAN":    {IPv4{}, GRE{Number: true, EtherType: 0x88be}, Zeros(8)},
			"frame behind label": {IPv4{Proto: 137}, MPLS{}},
		} {
			p := packet{
				data: Build(append(outer, Raw(Build(inner...)))...), family: engine.FamilyIPv4,
				protocol: engine.EtherIPv4,
			}
			if _, six := outer[0].(IPv6); six {
				p.family, p.protocol = engine.FamilyIPv6, engine.EtherIPv6
			}
			_, tuple := decode(t, p, "inner=true")
			if want := map[uint8]string{4: "10.0.0.1", 6: "2001:db8::a"}[tuple.Version]; tuple.Sport != 7 ||
				tuple.Src != addr(want) {
				t.Errorf("%s: %+v", name, tuple)
			}
		}
	}
}

// TestNoTunnels: what a port or a protocol promises and its header does not keep counts as it is.
func TestNoTunnels(t *testing.T) {
	inner := Build(IPv4{Src: "10.0.0.1"}, UDP{Src: 7, Dst: 9})
	frame := Build(Ethernet{}, IPv4{Src: "10.0.0.1"}, UDP{Src: 7, Dst: 9})
	for name, outer := range map[string][]Layer{
		"control message of L2TP 2": {
			IPv4{},
			UDP{Dst: 1701},
			Raw("\xc8\x02\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00"), Raw(inner),
		},
		"control message of L2TP 3": {IPv4{Proto: 115}, Raw("\x00\x00\x00\x00\xc8\x03\x00\x40"), Raw(frame)},
		"echo of GTP": {
			IPv4{},
			UDP{Dst: 2152},
			Raw("\x32\x01\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00"), Raw(inner),
		},
		"extension of GTP of no length": {
			IPv4{},
			UDP{Dst: 2152},
			Raw("\x34\xff\x00\x06\x00\x00\x00\x00\x00\x00\x00\x85\x00\x00\x00\x00"), Raw(inner),
		},
		"TZSP, keep-alive":         {IPv4{}, UDP{Dst: 37008}, Raw("\x01\x04\x00\x01\x01"), Raw(frame)},
		"TZSP without an end":      {IPv4{}, UDP{Dst: 37008}, Raw("\x01\x00\x00\x01"), Zeros(30)},
		"VXLAN without its flag":   {IPv4{}, UDP{Dst: 8472}, Zeros(8), Raw(frame)},
		"VXLAN-GPE, OAM's version": {IPv4{}, UDP{Dst: 4790}, Raw("\x3c\x00\x00\x01\x00\x00\x00\x00"), Raw(inner)},
		"Teredo's bubble is cut":   {IPv4{}, UDP{Dst: 3544}, Raw("\x60\x00\x00")},
		"GRE with source routes":   {IPv4{}, GRE{EtherType: 0x800}, Raw("")},
		"GRE, version 2":           {IPv4{Proto: 47}, Raw("\x00\x02\x08\x00"), Raw(inner)},
		"PPTP acknowledges":        {IPv4{Proto: 47}, Raw("\x20\x81\x88\x0b\x00\x00\x00\x01\x00\x00\x00\x07")},
		"PPP's own protocol": {
			IPv4{Proto: 47},
			Raw("\x30\x01\x88\x0b\x00\x0c\x00\x01\x00\x00\x00\x07\xff\x03\xc0\x21"), Zeros(8),
		},
		"pseudo-wire of something": {
			IPv4{Proto: 137},
			MPLS{},
			Zeros(4),
			Raw(Build(Ethernet{Type: TypeLLDP}, Zeros(40))),
		},
		"EtherIP, version 2": {IPv4{Proto: 97}, Raw("\x20\x00"), Raw(frame)},
		"a later fragment":   {IPv4{Proto: 17, Offset: 64}, UDP{Dst: 4789}, VXLAN{}, Raw(frame)},
	} {
		p := packet{data: Build(outer...), family: engine.FamilyIPv4, protocol: engine.EtherIPv4}
		row, tuple := decode(t, p, "inner=true")
		if tuple.Src != addr("192.0.2.1") || row["ip.saddr"] != "192.0.2.1" {
			t.Errorf("%s: %+v", name, tuple)
		}
	}
}

// TestPortsOfTunnels: lists replace the defaults, an empty one closes, and one port has one kind.
func TestPortsOfTunnels(t *testing.T) {
	p := packet{
		data:   Build(IPv4{}, UDP{Dst: 4789}, VXLAN{}, Ethernet{}, IPv4{Src: "10.0.0.1"}, UDP{}),
		family: engine.FamilyIPv4, protocol: engine.EtherIPv4,
	}
	for setting, want := range map[string]string{
		"vxlan_ports=8472,4789": "10.0.0.1", "vxlan_ports=8472": "192.0.2.1", "vxlan_ports=": "192.0.2.1",
		"geneve_ports=1": "10.0.0.1",
	} {
		if _, tuple := decode(t, p, "inner=true", setting); tuple.Src != addr(want) {
			t.Errorf("%s: %+v", setting, tuple)
		}
	}
	f := &base{}
	o := &engine.Options{}
	f.Options(o)
	for _, c := range []struct{ name, value, want string }{
		{"vxlan_ports", "4789,0", `must be a list of ports from 1 to 65535, has "0" in it`},
		{"vxlan_ports", "nfs", `must be a list of ports from 1 to 65535, has "nfs" in it`},
	} {
		opt, _ := o.Lookup(c.name)
		if _, err := opt.Set(engine.Value{Text: c.value}); err == nil || err.Error() != c.want {
			t.Errorf("%s = %s: %v", c.name, c.value, err)
		}
	}
	f.tunnels.inner, f.tunnels.ports[vxlan] = true, []uint16{6081}
	if err := f.Validate(); err == nil || err.Error() != "geneve_ports: port 6081 is in vxlan_ports, too" {
		t.Error(err)
	}
}
