// Aggregates of 802.11: each packet in them counts.

package pcap

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "ulogd/plugins/output/json"
	"ulogd/test/nstest"
	pt "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// aggregates are frames of 802.11 with up to n packets each, one of them none of IP.
func aggregates(n int) (frames []pt.Packet) {
	number := 0
	for i := range n {
		data := pt.Build(pt.Dot11{
			QoS: true, AMSDU: true, ToDS: i%2 == 0, HTControl: i%3 == 0,
			Addr: [4]pt.MAC{mac(1), mac(2), mac(3)},
		})
		for j := range i + 1 {
			number++
			ip := []pt.Layer{
				pt.SNAP{},
				pt.IPv4{Src: fmt.Sprintf("10.0.%d.%d", i, j+1)},
				pt.UDP{Src: 1000, Dst: 40000},
				pt.Zeros(number % 7),
			}
			if j%5 == 3 {
				ip = []pt.Layer{pt.SNAP{}, pt.IPv6{Src: fmt.Sprintf("2001:db8::%x:%x", i, j+1)}, pt.TCP{Src: 1000, Dst: 40000}}
			}
			sub := pt.Build(ip...)
			if j%5 == 4 {
				sub = pt.Build(pt.Raw("\x42\x42\x03"), pt.Zeros(35)) // spanning tree
			}
			for len(data)%4 != 2 { // the header has 26 octets
				data = append(data, 0)
			}
			data = append(data, pt.Build(pt.Ethernet{Dst: mac(9), Src: mac(byte(j)), Type: uint16(len(sub))}, pt.Raw(sub))...)
		}
		frames = append(frames, pt.Packet{Time: time.Unix(int64(i+1), 0), Data: data})
	}
	return frames
}

func TestAggregatesAsTsharkReadsThem(t *testing.T) {
	nstest.Need(t, "tool:tshark")
	frames := aggregates(31) // 496 packets: more than one batch, and one frame across its end
	for _, filter := range []string{"", "ip6"} {
		file := writeCapture(t, linkDot11, frames)
		out := filepath.Join(t.TempDir(), "out")
		text, err := exec.Command("tshark", "-r", file, "-T", "fields", "-e", "ip.src", "-e", "ip.len", "-e",
			"ipv6.src").Output()
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for line := range strings.Lines(string(text)) {
			f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			octets := strings.Split(f[1], ",")
			for i, src := range strings.Split(f[0], ",") {
				if filter == "" {
					want = append(want, fmt.Sprintf(`"ip.saddr": "%s", "flow.octets": %s}`, src, octets[i]))
				}
			}
			for src := range strings.SplitSeq(f[2], ",") {
				if src != "" {
					want = append(want, fmt.Sprintf(`"ip.saddr": "%s", "flow.octets": 60}`, src))
				}
			}
		}
		d := stacktest.Run(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,out:JSON"
[in]
file = %q
filter = %q
[out]
file = %q
keys = ["ip.saddr", "flow.octets"]
timestamp = false
`, file, filter, out))
		none := 0
		for i := range frames {
			none += (i + 1) / 5
		}
		if s := d.Stats("in"); s.Dropped != 0 || int(s.Made) != 31*32/2 || filter == "" && int(s.Filtered) != none {
			t.Errorf("%+v", s)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range bytes.Lines(data) {
			_, rest, _ := strings.Cut(strings.TrimSpace(string(line)), `"ip.saddr"`)
			got = append(got, `"ip.saddr"`+rest)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || len(want) < 50 {
			t.Errorf("filter %q: %d, tshark %d\n%v\n%v", filter, len(got), len(want), got[:min(3, len(got))], want[:3])
		}
	}
}
