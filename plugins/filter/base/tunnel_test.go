// Tunnels: the flows outside and inside are those that tshark sees.

package base

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

	_ "ulogd/plugins/filter/flow"
	"ulogd/test/nstest"
	. "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// Labels by which tshark is told that a pseudo-wire has a control word, or none.
const (
	controlWord   = "\x00\x03\x01\x40" // 48
	noControlWord = "\x00\x04\x01\x40" // 64
)

// tunnelled are packets in tunnels of every kind, each with addresses of its own.
func tunnelled() (frames []Packet) {
	n := 0
	add := func(layers ...Layer) {
		frames = append(frames, Packet{Time: time.Unix(int64(len(frames)), 0), Data: Build(layers...)})
	}
	// What is inside, as octets, and how EtherType, IP and PPP announce it.
	type content struct {
		packet         []byte
		etherType, ppp string
		protocol       uint8
		next           string // of VXLAN-GPE
	}
	contents := func() []content {
		n++
		udp := []Layer{UDP{Src: 1000, Dst: 40000}, Zeros(20 + n)}
		four := IPv4{Src: fmt.Sprintf("10.0.%d.%d", n/200, n%200+1), Dst: "10.1.0.1"}
		six := IPv6{Src: fmt.Sprintf("2001:db8:2::%x", n), Dst: "2001:db8:3::1"}
		return []content{
			{Build(append([]Layer{four}, udp...)...), "\x08\x00", "\x00\x21", 4, "\x01"},
			{Build(append([]Layer{six}, udp...)...), "\x86\xdd", "\x00\x57", 41, "\x02"},
		}
	}
	outer := func(i int, protocol uint8) []Layer {
		n++
		if i%2 == 0 {
			return []Layer{Ethernet{Src: MAC{2, 0, 0, 0, 0, 1}}, IPv4{
				Src:   fmt.Sprintf("192.0.%d.%d", 2+n/200, n%200+1),
				Proto: protocol,
			}}
		}
		return []Layer{Ethernet{Src: MAC{2, 0, 0, 0, 0, 1}}, IPv6{Src: fmt.Sprintf("2001:db8:1::%x", n), Next: protocol}}
	}
	frame := func(c content) []byte {
		return slices.Concat([]byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01"), []byte(c.etherType), c.packet)
	}
	cut := func(c content) []byte { return c.packet }
	for _, k := range []struct {
		name     string // for who reads this
		protocol uint8
		port     uint16
		header   string // E, P, N: the EtherType, PPP's protocol, GPE's next protocol
		content  func(content) []byte
	}{
		{"VXLAN", 17, 4789, "\x08\x00\x00\x00\x00\x00\x07\x00", frame},
		{"VXLAN of Linux", 17, 8472, "\x08\x00\x00\x00\x00\x00\x07\x00", frame},
		{"VXLAN with a group policy", 17, 4789, "\x88\x00\x00\x05\x00\x00\x07\x00", frame},
		{"VXLAN-GPE", 17, 4790, "\x0c\x00\x00N\x00\x00\x07\x00", cut},
		{"VXLAN-GPE, frame", 17, 4790, "\x0c\x00\x00\x03\x00\x00\x07\x00", frame},
		{"Geneve", 17, 6081, "\x02\x00E\x00\x00\x07\x00\x01\x02\x03\x01\x00\x00\x00\x00", cut},
		{"Geneve, frame", 17, 6081, "\x00\x00\x65\x58\x00\x00\x07\x00", frame},
		{"ERSPAN I", 47, 0, "\x00\x00\x88\xbe", frame},
		{"ERSPAN II", 47, 0, "\x10\x00\x88\xbe\x00\x00\x00\x01\x10\x05\x00\x01\x00\x00\x00\x00", frame},
		{"ERSPAN III", 47, 0, "\x10\x00\x22\xeb\x00\x00\x00\x01\x20\x05\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00", frame},
		{"ERSPAN III with more", 47, 0, "\x10\x00\x22\xeb\x00\x00\x00\x01\x20\x05\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00", frame},
		{"GRE", 47, 0, "\x00\x00E", cut},
		{"GRE with all", 47, 0, "\xb0\x00E\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02", cut},
		{"NVGRE", 47, 0, "\x20\x00\x65\x58\x00\x00\x07\x01", frame},
		{"PPTP", 47, 0, "\x30\x81\x88\x0b\x00\x20\x00\x01\x00\x00\x00\x01\x00\x00\x00\x02\xff\x03P", cut},
		{"PPTP, protocol only", 47, 0, "\x30\x01\x88\x0b\x00\x20\x00\x01\x00\x00\x00\x01P", cut},
		{"WCCP 1", 47, 0, "\x00\x00\x88\x3e", cut},
		{"WCCP 2", 47, 0, "\x00\x00\x88\x3e\x00\x01\x02\x03", cut},
		{"GTP-U", 17, 2152, "\x30\xff\x00\x40\x00\x00\x00\x07", cut},
		{"GTP-U with a number", 17, 2152, "\x32\xff\x00\x40\x00\x00\x00\x07\x00\x01\x00\x00", cut},
		{"GTP-U with extensions", 17, 2152, "\x34\xff\x00\x40\x00\x00\x00\x07\x00\x00\x00\x85\x01\x10\x07\xc0\x02\x00\x00\x00\x00\x00\x00\x00", cut},
		{"TZSP", 17, 37008, "\x01\x00\x00\x01\x00\x0a\x01\x05\x01", frame},
		{"L2TP 2", 17, 1701, "\x00\x02\x00\x01\x00\x02\xff\x03P", cut},
		{"L2TP 2 with all", 17, 1701, "\x4a\x02\x00\x40\x00\x01\x00\x02\x00\x01\x00\x02\x00\x02\x00\x00\xff\x03P", cut},
		{"L2TP 3 in UDP", 17, 1701, "\x00\x03\x00\x00\x00\x00\x00\x05\x01\x02\x03\x04", frame},
		{"L2TP 3", 115, 0, "\x00\x00\x00\x05\x01\x02\x03\x04", frame},
		{"MPLS in UDP", 17, 6635, "\x00\x01\x01\x40", cut},
		{"MPLS in IP", 137, 0, "\x00\x01\x00\x40\x00\x02\x01\x40", cut},
		{"MPLS in GRE", 47, 0, "\x00\x00\x88\x47\x00\x01\x01\x40", cut},
		{"EoMPLS in GRE", 47, 0, "\x00\x00\x88\x47" + controlWord + "\x00\x00\x00\x07", frame},
		{"LISP", 17, 4341, "\x80\x00\x00\x01\x00\x00\x00\x01", cut},
		{"EtherIP", 97, 0, "\x30\x00", frame},
		{"AH", 51, 0, "I\x04\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01" + strings.Repeat("\x05", 12), cut},
		{"IP", 0, 0, "", cut},
	} {
		for i := range 2 {
			for j := range 2 {
				c := contents()[i]
				if k.name == "WCCP 1" && i == 1 { // it is older
					continue
				}
				if k.name == "AH" && (i+j)%2 == 1 { // IPv6's is an extension header
					continue
				}
				header := k.header
				for letter, with := range map[string]string{"E": c.etherType, "P": c.ppp, "N": c.next, "I": string(c.protocol)} {
					if at := strings.Index(header, letter); at >= 0 {
						header = header[:at] + with + header[at+1:]
					}
				}
				protocol := k.protocol
				if protocol == 0 {
					protocol = c.protocol
				}
				layers := outer(i+j, protocol)
				if k.port != 0 {
					layers = append(layers, UDP{Src: 5000, Dst: k.port})
				}
				add(append(layers, Raw(header), Raw(k.content(c)))...)
			}
		}
	}
	for _, header := range []string{
		"", "\x00\x01\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x00", "\x00\x00\x0f\x37\x01\x02\x03\x04",
		"\x00\x01\x02\x03\x11\x22\x01\x02\x03\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x00\x0f\x37\x01\x02\x03\x04",
	} {
		for _, port := range []UDP{{Src: 5000, Dst: 3544}, {Src: 3544, Dst: 5000}} { // asked and answered
			add(append(outer(0, 17), port, Raw(header), Raw(contents()[1].packet))...)
		}
	}
	for _, first := range []string{"\x00", "\x02", "\x10", "\x44", "\x45", "\x66", "\x64", "\xa0"} { // there is no IP outside
		for _, labels := range []string{"\x00\x01\x00\x40" + controlWord + "\x00\x00\x00\x07", "\x00\x01\x00\x40" +
			noControlWord} {
			for _, c := range contents() {
				add(Ethernet{Type: TypeMPLS}, Raw(labels), Raw(first), Raw(frame(c)[1:]))
			}
		}
	}
	return frames
}

// layered is what tshark reads of a packet's headers of IP, each.
func layered(t *testing.T, file string) (packets [][]string) {
	text, err := exec.Command("tshark", "-r", file, "-d", "mpls.label==48,pwethcw", "-d", "mpls.label==64,pwethnocw",
		"-d", "udp.port==8472,vxlan",
		"-d", "l2tp.pw_type==0,eth", "-o", "l2tp.cookie_size:4 Byte Cookie", "-o", "l2tp.l2_specific:None", "-T", "fields",
		"-E", "separator=;", "-e", "frame.protocols",
		"-e", "ip.src", "-e", "ip.dst", "-e", "ip.proto", "-e", "ip.len", "-e", "ipv6.src", "-e", "ipv6.dst", "-e",
		"ipv6.nxt", "-e", "ipv6.plen", "-e", "udp.srcport", "-e", "udp.dstport").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.TrimRight(string(text), "\n"), "\n") {
		f := strings.Split(line, ";")
		var all [11][]string
		for i := range all {
			all[i] = strings.FieldsFunc(f[i], func(r rune) bool { return r == ',' })
		}
		take := func(i int) string {
			if len(all[i]) == 0 {
				return ""
			}
			v := all[i][0]
			all[i] = all[i][1:]
			return v
		}
		var layers []string
		for _, p := range strings.Split(f[0], ":") {
			switch p {
			case "ip":
				layers = append(layers, fmt.Sprint(take(1), " ", take(2), " ", take(3), " octets ", take(4)))
			case "ipv6":
				octets := 0
				src, dst, next := take(5), take(6), take(7)
				fmt.Sscan(take(8), &octets)
				layers = append(layers, fmt.Sprint(src, " ", dst, " ", next, " octets ", octets+40))
			case "udp":
				layers[len(layers)-1] += fmt.Sprint(" ports ", take(9), " ", take(10))
			}
		}
		packets = append(packets, layers)
	}
	return packets
}

func TestTunnelsAsTsharkReadsThem(t *testing.T) {
	nstest.Need(t, "tool:tshark")
	frames := tunnelled()
	file := filepath.Join(t.TempDir(), "tunnels.pcap")
	var b bytes.Buffer
	if err := WritePcap(&b, LinkEthernet, Pcap{}, frames); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	theirs := layered(t, file)
	if len(theirs) != len(frames) {
		t.Fatalf("tshark reads %d of %d packets", len(theirs), len(frames))
	}
	for _, inner := range []bool{false, true} {
		name := fmt.Sprint(t.Name(), inner)
		stacktest.Run(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,flow:FLOW,out:RECORD"
[in]
file = %q
[base]
inner = %v
[out]
name = %q
keys = ["orig.ip.saddr", "orig.ip.daddr", "orig.ip.protocol", "orig.raw.pktlen", "orig.l4.sport", "orig.l4.dport"]
`, file, inner, name))
		var want []string
		for i, layers := range theirs {
			if len(layers) > 0 && strings.HasPrefix(layers[len(layers)-1], " ") {
				t.Errorf("tshark cannot read packet %d: %q % x", i, layers, frames[i].Data)
			}
			switch {
			case len(layers) > 0 && inner:
				want = append(want, layers[len(layers)-1])
			case len(layers) > 1 && !inner:
				want = append(want, layers[0])
			case inner:
				t.Errorf("tshark does not open packet %d: % x", i, frames[i].Data)
			}
		}
		ours := stacktest.Recorded(name)
		for i := range ours {
			ours[i] = strings.NewReplacer("orig.ip.saddr=", "", "orig.ip.daddr=", "", "orig.ip.protocol=", "",
				"orig.raw.pktlen=", "octets ", "orig.l4.sport=", "ports ", "orig.l4.dport=", "").Replace(ours[i])
		}
		slices.Sort(want)
		slices.Sort(ours)
		if len(want) < 140 {
			t.Errorf("%d packets", len(want))
		}
		for i := range max(len(ours), len(want)) {
			if i >= len(ours) || i >= len(want) || ours[i] != want[i] {
				t.Fatalf("flow %d of %d, inner=%v:\n%v\ntshark: %v", i, len(want), inner,
					ours[min(i, len(ours)):][:min(3, len(ours)-i)], want[min(i, len(want)):][:min(3, len(want)-i)])
			}
		}
	}
}
