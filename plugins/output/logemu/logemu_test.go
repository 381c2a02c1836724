package logemu

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "ulogd/plugins/filter/ip2str"
	_ "ulogd/plugins/filter/printflow"
	"ulogd/test/stacktest"
)

// TestTimeAndHost: a packet's own time where it has one, else the present.
func TestTimeAndHost(t *testing.T) {
	flow := map[string]string{"oob.family": "2", "oob.protocol": "0", "orig.ip.saddr": "10.0.0.1", "orig.ip.daddr": "10.0.0.2", "orig.ip.protocol": "47"}
	timed := map[string]string{"oob.time": "1795226048651231000"}
	for k, v := range flow {
		timed[k] = v
	}
	stacktest.Feed(t.Name(), timed, flow, timed)
	file := filepath.Join(t.TempDir(), "lines")
	before := time.Now()
	stacktest.Run(t, fmt.Sprintf(`stack = ["in:ROWS,s:IP2STR,p:PRINTFLOW,o:LOGEMU"]
[in]
feed = %q
[o]
file = %q`, t.Name(), file))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	name, _ := os.Hostname()
	name, _, _ = strings.Cut(name, ".")
	rest := " " + name + " ORIG: SRC=10.0.0.1 DST=10.0.0.2 PROTO=47 PKTS=0 BYTES=0 , REPLY: PROTO=0 PKTS=0 BYTES=0 "
	lines := strings.Split(string(text), "\n")
	if len(lines) != 4 || lines[3] != "" {
		t.Fatalf("lines: %q", lines)
	}
	packet := time.Unix(1795226048, 0).Format(time.Stamp)
	for i, line := range lines[:3] {
		stamp, got, _ := strings.Cut(line, " "+name)
		if " "+name+got != rest {
			t.Errorf("line %d: got %q, want %q behind the time", i, line, rest)
		}
		now := before
		for i == 1 && stamp != now.Format(time.Stamp) && now.Before(time.Now()) {
			now = now.Add(time.Second)
		}
		if want := map[bool]string{true: now.Format(time.Stamp), false: packet}[i == 1]; stamp != want {
			t.Errorf("line %d has the time %q, want %q", i, stamp, want)
		}
	}
}

// TestTimeFormat says year and zone, the zone being one that a router's TZ has.
func TestTimeFormat(t *testing.T) {
	stacktest.Zone(t, "<+0330>-3:30")
	stacktest.Feed(t.Name(), map[string]string{
		"oob.family": "2", "oob.protocol": "0", "orig.ip.saddr": "10.0.0.1", "orig.ip.daddr": "10.0.0.2", "orig.ip.protocol": "47",
		"oob.time": "1795226048651231000",
	})
	for format, want := range map[string]string{
		"rfc3164": "Nov 21 05:24:08 ", "iso8601": "2026-11-21T05:24:08+03:30 ", "unix": "1795226048 ",
	} {
		file := filepath.Join(t.TempDir(), "lines")
		stacktest.Run(t, fmt.Sprintf(`
			stack = ["in:ROWS,s:IP2STR,p:PRINTFLOW,o:LOGEMU"]
			[in]
			feed = %q
			[o]
			file = %q
			time_format = %q
		`, t.Name(), file, format))
		if text, err := os.ReadFile(file); !strings.HasPrefix(string(text), want) {
			t.Errorf("%s: the line is %q, %v; want the time %q", format, text, err, want)
		}
	}
}
