package ip2str

import (
	"fmt"
	"testing"

	"ulogd/test/stacktest"
)

func TestTexts(t *testing.T) {
	rows := []map[string]string{
		{"oob.family": "2", "oob.protocol": "2048", "ip.saddr": "10.0.0.1", "ip.daddr": "255.255.255.255"},
		{"oob.family": "10", "oob.protocol": "34525", "ip.saddr": "fd00::1", "ip.daddr": "::ffff:192.0.2.1"},
		{"oob.family": "7", "oob.protocol": "34525", "ip.saddr": "::192.0.2.1"},
		{"oob.family": "7", "oob.protocol": "2048", "ip.saddr": "0.0.0.0"},
		{"oob.family": "2", "oob.protocol": "0", "orig.ip.saddr": "10.0.0.1", "reply.ip.daddr": "10.0.0.9"},
		{"oob.family": "3", "oob.protocol": "2054"},
	}
	want := []string{
		"ip.saddr.str=10.0.0.1 ip.daddr.str=255.255.255.255",
		"ip.saddr.str=fd00::1 ip.daddr.str=::ffff:192.0.2.1",
		"ip.saddr.str=::192.0.2.1",
		"ip.saddr.str=0.0.0.0",
		"orig.ip.saddr.str=10.0.0.1 reply.ip.daddr.str=10.0.0.9",
		"",
	}
	stacktest.Feed(t.Name(), rows...)
	stacktest.Run(t, fmt.Sprintf(`stack = ["in:ROWS,s:IP2STR,o:RECORD"]
[in]
feed = %q
[o]
name = %[1]q
keys = ["ip.saddr.str", "ip.daddr.str", "orig.ip.saddr.str", "reply.ip.daddr.str"]`, t.Name()))
	got := stacktest.Recorded(t.Name())
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Errorf("row %d: got %q, want %q", i, got, want[i])
		}
	}
}
