// The address that an exporter sends from, in its records: what a collector behind a relay needs.

package decoders

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
	. "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// TestExporterAddress: records of IPv4 and of IPv6 flows have the address of the session, whichever
// family that is of, and from the first record on where the collector is an address.
func TestExporterAddress(t *testing.T) {
	nstest.Need(t, "tool:tshark")
	var b bytes.Buffer
	if err := WritePcap(&b, LinkEthernet, Pcap{}, []Packet{
		{Time: time.Unix(1e9, 0), Data: Build(Ethernet{}, IPv4{Src: "192.0.2.1"}, UDP{Src: 1000, Dst: 40000})},
		{Time: time.Unix(1e9, 0), Data: Build(Ethernet{}, IPv6{Src: "2001:db8::1"}, UDP{Src: 1000, Dst: 40000})},
	}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "packets.pcap")
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, plugin := range []string{"IPFIX", "NETFLOW9"} {
		for _, way := range []struct{ collector, from, want string }{
			{"127.0.0.1:0", "", "127.0.0.1"},
			{"127.0.0.1:0", "127.0.0.7", "127.0.0.7"},
			{"[::1]:0", "", "::1"},
		} {
			c, err := net.ListenPacket("udp", way.collector)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			more := ""
			if plugin == "IPFIX" {
				more = "proto = \"udp\"\n"
			}
			if way.from != "" {
				more += fmt.Sprintf("source_address = %q\n", way.from)
			}
			stacktest.Run(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,flow:FLOW,out:%s"
[in]
file = %q
[out]
host = [%q]
fields = ["sourceIPv4Address", "sourceIPv6Address", "exporterIPv4Address", "exporterIPv6Address", "packetDeltaCount"]
%s`, plugin, file, c.LocalAddr(), more))
			text, err := exec.Command("tshark", "-r", capture(t, received(t, c)), "-d", "udp.port==4739,cflow", "-Y",
				"cflow.packets", "-O", "cflow", "-V").Output()
			if err != nil {
				t.Fatal(err)
			}
			var got []string // the flow's source and the exporter's address
			for record := range strings.SplitSeq(string(text), "Flow 1") {
				of := map[string]string{}
				for line := range strings.Lines(record) {
					if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
						of[name] = value
					}
				}
				if src := of["SrcAddr"]; src != "" {
					got = append(got, src+" "+of["ExporterAddr"])
				}
			}
			slices.Sort(got)
			want := []string{"192.0.2.1 " + way.want, "2001:db8::1 " + way.want}
			if !slices.Equal(got, want) {
				t.Errorf("%s to %s: %q, want %q\n%s", plugin, way.collector, got, want, text)
			}
		}
	}
}
