package ip2hbin

import (
	"fmt"
	"testing"

	"ulogd/test/stacktest"
)

func TestAddresses(t *testing.T) {
	rows := []map[string]string{
		{"oob.family": "2", "oob.protocol": "0", "ip.saddr": "10.77.0.2", "reply.ip.daddr": "10.0.0.9"},
		{"oob.family": "10", "oob.protocol": "0", "ip.saddr": "2001:db8::1"},
	}
	for compat, want := range map[string][]string{
		"none":   {"ip.hsaddr=10.77.0.2 reply.ip.hdaddr=10.0.0.9", "ip.hsaddr=2001:db8::1"},
		"ulogd2": {"ip.hsaddr=2.0.77.10", "ip.hsaddr=2001:db8::1"},
	} {
		name := t.Name() + compat
		stacktest.Feed(name, rows...)
		stacktest.Run(t, fmt.Sprintf(`stack = ["in:ROWS,s:IP2HBIN,o:RECORD"]
[in]
feed = %q
[s]
compat = %q
[o]
name = %[1]q
keys = ["ip.hsaddr", "reply.ip.hdaddr"]`, name, compat))
		if got := stacktest.Recorded(name); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("compat %s: got %q, want %q", compat, got, want)
		}
	}
}
