// Tags and labels of packets: from a capture to what tshark and nfdump show.

package decoders

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "ulogd/plugins/filter/base"
	_ "ulogd/plugins/filter/flow"
	_ "ulogd/plugins/input/pcap"
	"ulogd/test/nstest"
	. "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// exported runs a capture to an exporter and returns its messages.
func exported(t *testing.T, plugin, fields string, link uint32, packets []Packet) [][]byte {
	var b bytes.Buffer
	if err := WritePcap(&b, link, Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "packets.pcap")
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	c := stacktest.ListenUDP(t)
	protocol := ""
	if plugin == "IPFIX" {
		protocol = "proto = \"udp\""
	}
	stacktest.Run(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,flow:FLOW,out:%s"
[in]
file = %q
[flow]
key = ["ifindex"]
[out]
host = [%q]
fields = [%s]
%s
`, plugin, file, c.LocalAddr(), fields, protocol))
	return received(t, c)
}

func TestTagsAndLabels(t *testing.T) {
	nstest.Need(t, "tool:tshark")
	inside := []Layer{IPv4{}, UDP{Src: 1000, Dst: 40000}, Zeros(30)}
	packets := []Packet{
		{Time: time.Unix(1e9, 0), Data: Build(append([]Layer{Ethernet{}, VLAN{TPID: TypeQinQ, ID: 100, Prio: 5}, VLAN{ID: 200, Prio: 3}}, inside...)...)},
		{Time: time.Unix(1e9+1, 0), Data: Build(append([]Layer{Ethernet{}, VLAN{ID: 7}, MPLS{Label: 1000}, MPLS{Label: 2000}, MPLS{Label: 3000}, IPv4{Src: "192.0.2.9"}}, inside[1:]...)...)},
		{Time: time.Unix(1e9+2, 0), Data: Build(append([]Layer{Ethernet{}, IPv4{Src: "192.0.2.10"}}, inside[1:]...)...)},
	}
	const tags = `"sourceIPv4Address", "destinationIPv4Address", "packetDeltaCount", "octetDeltaCount", "dot1qVlanId", "dot1qPriority", ` +
		`"dot1qCustomerVlanId", "dot1qCustomerPriority", "mplsTopLabelStackSection", "mplsLabelStackSection2", "mplsLabelStackSection3"`
	want := map[string]string{
		"192.0.2.1": "100;5;200;3;;", "192.0.2.9": "7;0;;;1000,2000,3000;False,False,True", "192.0.2.10": ";;;;;",
	}
	for _, plugin := range []string{"IPFIX", "NETFLOW9"} {
		messages := exported(t, plugin, tags, LinkEthernet, packets)
		text, err := exec.Command("tshark", "-r", capture(t, messages), "-d", "udp.port==4739,cflow", "-Y", "cflow.srcaddr",
			"-O", "cflow", "-V").Output()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		src, of := "", map[string][]string{}
		flush := func() {
			if src != "" {
				var all []string
				for _, name := range []string{
					"Dot1q Vlan Id", "Dot1q Priority", "Dot1q Customer Vlan Id",
					"Dot1q Customer Priority", "MPLS-Label", "Bottom",
				} {
					all = append(all, strings.Join(of[name], ","))
				}
				got[src] = strings.Join(all, ";")
			}
			src, of = "", map[string][]string{}
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			name, value, _ := strings.Cut(line, ": ")
			switch {
			case strings.HasPrefix(line, "Flow "), strings.HasPrefix(line, "FlowSet"):
				flush()
			case name == "SrcAddr":
				src = value
			case strings.HasPrefix(name, "MPLS-Label"):
				f := strings.Fields(value)
				of["MPLS-Label"] = append(of["MPLS-Label"], f[0])
				of["Bottom"] = append(of["Bottom"],
					map[bool]string{true: "True", false: "False"}[strings.Contains(line, "bottom-of-stack")])
			default:
				of[name] = append(of[name], value)
			}
		}
		flush()
		for src, tags := range want {
			if got[src] != tags {
				t.Errorf("%s, %s: tshark shows %q, want %q", plugin, src, got[src], tags)
			}
		}
		if t.Failed() {
			t.Logf("%s", text)
		}
	}
}

// TestDirection: a packet that an interface received is ingress, one that it sent egress.
func TestDirection(t *testing.T) {
	nstest.Need(t, "tool:tshark")
	var packets []Packet
	for i, kind := range []uint8{0, 4} { // PACKET_HOST, PACKET_OUTGOING
		packets = append(packets, Packet{Time: time.Unix(1e9, 0), Data: Build(
			SLL2{Ifindex: 3, PacketType: kind}, IPv4{Src: fmt.Sprint("192.0.2.", i+1)}, UDP{Src: 1000, Dst: 40000})})
	}
	for _, plugin := range []string{"IPFIX", "NETFLOW9"} {
		messages := exported(t, plugin, `"sourceIPv4Address", "flowDirection", "packetDeltaCount"`, LinkSLL2, packets)
		text, err := exec.Command("tshark", "-r", capture(t, messages), "-d", "udp.port==4739,cflow", "-Y", "cflow.srcaddr",
			"-T", "fields", "-e", "cflow.srcaddr", "-e", "cflow.direction").Output()
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Fields(strings.ReplaceAll(string(text), ",", " "))
		got := map[string]bool{}
		for i := range len(all) / 2 {
			got[all[i]+" "+all[len(all)/2+i]] = true
		}
		if len(got) != 2 || !got["192.0.2.1 0"] || !got["192.0.2.2 1"] {
			t.Errorf("%s: %v of %q", plugin, got, text)
		}
	}
}

// TestTimesToLive: the least and the most of a flow's packets, where fields asks for them.
func TestTimesToLive(t *testing.T) {
	nstest.Need(t, "tool:tshark")
	var packets []Packet
	for i, ttl := range []uint8{64, 57, 60} {
		packets = append(packets, Packet{Time: time.Unix(1e9, int64(i)), Data: Build(
			Ethernet{}, IPv4{Src: "192.0.2.1", TTL: ttl}, UDP{Src: 1000, Dst: 40000})})
	}
	for _, plugin := range []string{"IPFIX", "NETFLOW9"} {
		messages := exported(t, plugin, `"sourceIPv4Address", "minimumTTL", "maximumTTL", "packetDeltaCount"`, LinkEthernet,
			packets)
		text, err := exec.Command("tshark", "-r", capture(t, messages), "-d", "udp.port==4739,cflow", "-Y", "cflow.srcaddr",
			"-T", "fields", "-e", "cflow.srcaddr", "-e", "cflow.ttl_min", "-e", "cflow.ttl_max", "-e", "cflow.packets").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.TrimSpace(string(text)), "192.0.2.1\t57\t64\t3"; got != want {
			t.Errorf("%s: tshark shows %q, want %q", plugin, got, want)
		}
	}
}
