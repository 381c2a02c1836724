package ip2bin

import (
	"fmt"
	"testing"

	"ulogd/test/stacktest"
)

func TestLiterals(t *testing.T) {
	rows := []map[string]string{
		{"oob.family": "2", "oob.protocol": "0", "ip.saddr": "10.77.0.2", "reply.ip.daddr": "10.0.0.9"},
		{"oob.family": "10", "oob.protocol": "0", "ip.saddr": "2001:db8::1"},
	}
	for compat, want := range map[string][]string{
		"none": {
			"ip.saddr.bin=0x00000000000000000000ffff0a4d0002 reply.ip.daddr.bin=0x00000000000000000000ffff0a000009",
			"ip.saddr.bin=0x20010db8000000000000000000000001",
		},
		"ulogd2": {"ip.saddr.bin=0x00000000000000000000ffff0a4d0002", "ip.saddr.bin=0x20010db8000000000000000000000001"},
	} {
		name := t.Name() + compat
		stacktest.Feed(name, rows...)
		stacktest.Run(t, fmt.Sprintf(`stack = ["in:ROWS,s:IP2BIN,o:RECORD"]
[in]
feed = %q
[s]
compat = %q
[o]
name = %[1]q
keys = ["ip.saddr.bin", "reply.ip.daddr.bin"]`, name, compat))
		if got := stacktest.Recorded(name); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("compat %s: got %q, want %q", compat, got, want)
		}
	}
}
