package hwhdr

import (
	"fmt"
	"strings"
	"testing"

	"ulogd/test/stacktest"
)

func TestHeaders(t *testing.T) {
	ether := "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x86\xdd"
	long := strings.Repeat("\xab", 60)
	rows := []map[string]string{
		{"oob.protocol": "2048", "raw.mac": ether, "raw.type": "1"},
		{"oob.protocol": "2048", "raw.mac": ether, "raw.type": "772"},
		{"oob.protocol": "2048", "raw.mac": ether, "raw.type": "1", "raw.mac.saddr": "\x02\x00\x00\x00\x00\x09"},
		{"oob.protocol": "2048", "raw.mac.saddr": "\x02\x00\x00\x00\x00\x09"},
		{"oob.protocol": "2048"},
		{"oob.protocol": "2048", "raw.mac": "\x01\x02", "raw.type": "1"},
		{"oob.protocol": "2048", "raw.mac": ether},
		{"oob.protocol": "2048", "raw.mac": long, "raw.type": "32"},
	}
	want := []string{
		"raw.type=1 oob.protocol=34525 mac.saddr.str=02:00:00:00:00:02 mac.daddr.str=02:00:00:00:00:01 mac.str=02:00:00:00:00:01:02:00:00:00:00:02:86:dd",
		"raw.type=772 oob.protocol=2048 mac.str=02:00:00:00:00:01:02:00:00:00:00:02:86:dd",
		"raw.type=1 oob.protocol=34525 mac.saddr.str=02:00:00:00:00:09 mac.daddr.str=02:00:00:00:00:01 mac.str=02:00:00:00:00:01:02:00:00:00:00:02:86:dd",
		"raw.type=65535 oob.protocol=2048 mac.saddr.str=02:00:00:00:00:09",
		"oob.protocol=2048",
		"raw.type=1 oob.protocol=2048 mac.str=01:02",
		"raw.type=65535 oob.protocol=2048 mac.str=02:00:00:00:00:01:02:00:00:00:00:02:86:dd",
		"raw.type=32 oob.protocol=2048 mac.str=" + strings.TrimSuffix(strings.Repeat("ab:", 60), ":"),
	}
	stacktest.Feed(t.Name(), rows...)
	stacktest.Run(t, fmt.Sprintf(`stack = ["in:ROWS,h:HWHDR,o:RECORD"]
[in]
feed = %q
[o]
name = %[1]q
keys = ["raw.type", "oob.protocol", "mac.saddr.str", "mac.daddr.str", "mac.str"]`, t.Name()))
	for i, got := range stacktest.Recorded(t.Name()) {
		if got != want[i] {
			t.Errorf("row %d: got  %s\nwant %s", i, got, want[i])
		}
	}
}
