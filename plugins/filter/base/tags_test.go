// What stands in front of IP, compared with tshark frame by frame.

package base

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "ulogd/plugins/input/pcap"
	_ "ulogd/plugins/output/json"
	"ulogd/test/nstest"
	. "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// tagged are frames with headers of every kind around the same packets.
func tagged() (frames []Packet) {
	inner := Build(Ethernet{Src: MAC{2, 0, 0, 0, 0, 9}}, IPv4{Src: "192.0.2.77"}, UDP{Src: 77, Dst: 78}, Zeros(20))
	for i, ip := range []struct {
		t, ppp string
		layer  Layer
	}{{"\x08\x00", "\x21", IPv4{Src: "192.0.2.5"}}, {"\x86\xdd", "\x57", IPv6{Src: "2001:db8::5"}}} {
		for _, c := range []struct {
			name      string // for who reads this
			etherType uint16
			header    string
		}{
			{"PPPoE, two octets", 0x8864, "\x11\x00\x00\x01\x00\x40\x00" + ip.ppp},
			{"PPPoE, one octet", 0x8864, "\x11\x00\x00\x01\x00\x40" + ip.ppp},
			{"SNAP", 1000, "\xaa\xaa\x03\x00\x00\x00" + ip.t},
			{"SNAP of bridges", 1000, "\xaa\xaa\x03\x00\x00\xf8" + ip.t},
			{"VN-tag", 0x8926, "\x00\x01\x00\x02" + ip.t},
			{"E-tag", 0x893f, "\x00\x01\x00\x02\x00\x00" + ip.t},
			{"CMD", 0x8909, "\x01\x01\x00\x01\x00\x07" + ip.t},
			{"PBB", 0x88e7, "\x00\x00\x00\x07" + strings.Repeat("\x02", 12) + ip.t},
			{"MACsec", 0x88e5, "\x00\x00\x00\x00\x00\x01" + ip.t},
			{"MACsec with SCI", 0x88e5, "\x20\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x01\x00\x01" + ip.t},
			{"NSH", 0x894f, "\x0f\xc6\x01" + map[string]string{"\x21": "\x01", "\x57": "\x02"}[ip.ppp] + "\x00\x00\x01\xff" + strings.Repeat("\x00", 16)},
			{"Arista, 64 bits", 0xd28b, "\x00\x01\x00\x10" + strings.Repeat("\x01", 8) + ip.t},
			{"Arista, 48 bits", 0xd28b, "\x00\x01\x00\x20" + strings.Repeat("\x01", 6) + ip.t},
			{"VLAN and E-tag", 0x8100, "\x00\x07\x89\x3f\x00\x01\x00\x02\x00\x00" + ip.t},
		} {
			data := Build(Ethernet{Type: c.etherType, Src: MAC{2, 0, 0, 0, 0, 1}}, Raw(c.header), ip.layer, UDP{Src: 1000, Dst: 53}, Zeros(20))
			if c.etherType == 1000 {
				data[12], data[13] = 0, byte(len(data)-14)
			}
			frames = append(frames, Packet{Time: time.Unix(int64(len(frames)), 0), Data: data})
		}
		if i == 0 {
			data := Build(Ethernet{Type: 1}, Raw("\x06\x06\x03"), ip.layer, UDP{Src: 1000, Dst: 53}, Zeros(20))
			data[13] = byte(len(data) - 14)
			frames = append(frames, Packet{Time: time.Unix(int64(len(frames)), 0), Data: data})
			frames = append(frames, Packet{Time: time.Unix(int64(len(frames)), 0), Data: Build(Ethernet{Type: 0x8903}, Raw("\x00\x20"), Raw(inner))})
		}
	}
	return frames
}

func TestTagsAsTsharkReadsThem(t *testing.T) {
	nstest.Need(t, "tool:tshark")
	frames := tagged()
	dir := t.TempDir()
	file, out := filepath.Join(dir, "tags.pcap"), filepath.Join(dir, "out")
	var b bytes.Buffer
	if err := WritePcap(&b, LinkEthernet, Pcap{}, frames); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("tshark", "-r", file, "-T", "fields", "-E", "separator=,", "-e", "ip.src", "-e", "ipv6.src", "-e", "udp.srcport").Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	d := stacktest.Run(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,out:JSON"
[in]
file = %q
[out]
file = %q
keys = ["ip.saddr", "udp.sport"]
timestamp = false
`, file, out))
	if s := d.Stats("in"); s.Dropped != 0 || int(s.Out) != len(frames) {
		t.Errorf("%+v", s)
	}
	text, err = os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	ours := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(theirs) != len(frames) || len(ours) != len(frames) {
		t.Fatalf("%d frames, %d lines, tshark's %d", len(frames), len(ours), len(theirs))
	}
	for i, line := range theirs {
		f := strings.Split(line, ",")
		want := fmt.Sprintf(`"ip.saddr": "%s", "src_port": %s}`, f[0]+f[1], f[2])
		if !strings.HasSuffix(ours[i], want) || f[2] == "" {
			t.Errorf("frame %d: %s, tshark says %s: % x", i, ours[i], line, frames[i].Data[12:40])
		}
	}
}
