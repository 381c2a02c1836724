// The least and the most time to live of flows.

package flow

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "ulogd/plugins/input/pcap"
	pt "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

func TestLeastAndMostTimeToLive(t *testing.T) {
	var packets []pt.Packet
	add := func(layers ...pt.Layer) {
		at := time.Unix(1714564800, int64(len(packets))*1000)
		packets = append(packets, pt.Packet{Time: at, Data: pt.Build(append([]pt.Layer{pt.Ethernet{}}, layers...)...)})
	}
	for _, ttl := range []uint8{64, 61, 63} {
		add(pt.IPv4{Src: "10.0.0.1", Dst: "10.0.0.2", TTL: ttl}, pt.UDP{Src: 1, Dst: 53})
	}
	for _, ttl := range []uint8{255, 120} {
		add(pt.IPv4{Src: "10.0.0.2", Dst: "10.0.0.1", TTL: ttl}, pt.UDP{Src: 53, Dst: 1})
	}
	add(pt.IPv6{Src: "2001:db8::1", Dst: "2001:db8::2", HopLimit: 7}, pt.UDP{Src: 2, Dst: 53})
	var b bytes.Buffer
	if err := pt.WritePcap(&b, pt.LinkEthernet, pt.Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ttl.pcap")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for settings, want := range map[string][]string{
		"biflow = false": {
			"orig.ip.ttl.min=61 orig.ip.ttl.max=64", "orig.ip.ttl.min=120 orig.ip.ttl.max=255",
			"orig.ip.ttl.min=7 orig.ip.ttl.max=7",
		},
		"biflow = true": {
			"orig.ip.ttl.min=61 orig.ip.ttl.max=64 reply.ip.ttl.min=120 reply.ip.ttl.max=255",
			"orig.ip.ttl.min=7 orig.ip.ttl.max=7",
		},
		"biflow = true\nworkers = 2": {
			"orig.ip.ttl.min=61 orig.ip.ttl.max=64 reply.ip.ttl.min=120 reply.ip.ttl.max=255",
			"orig.ip.ttl.min=7 orig.ip.ttl.max=7",
		},
	} {
		name, keys := t.Name()+settings, `"orig.ip.ttl.min", "orig.ip.ttl.max"`
		if settings != "biflow = false" {
			keys += `, "reply.ip.ttl.min", "reply.ip.ttl.max"`
		}
		stacktest.Run(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,flow:FLOW,out:RECORD"
[in]
file = %q
[flow]
%s
[out]
name = %q
keys = [%s]
`, path, settings, name, keys))
		got := stacktest.Recorded(name)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", settings, got, want)
		}
	}
}
