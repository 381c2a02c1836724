package decoders

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// traced sends a capture's flows with options records, and returns the messages and the flows'
// packets. One packet of 100 is said to have been looked at.
func traced(t *testing.T, output, options string) (messages [][]byte, packets int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (packettest.Trace{Packets: 200, Flows: 20}).Write(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// Interfaces of a file are not this machine's; those of other inputs are. Nothing is counted there.
	stacktest.Feed(t.Name()+output, with(tuple(ipv4, "10.9.0.1", "192.0.2.9", "17", "1", "9"),
		counts("0", "0", "0", "0"), times))
	d := stacktest.Run(t, fmt.Sprintf("stack = [\"in:PCAP,base:BASE,flow:FLOW,out:%[1]s\", "+
		`"rows:ROWS,out:%[1]s"]
[rows]
feed = %[2]q
[in]
file = [%[3]q]
[flow]
active_timeout = `+
		`120
inactive_timeout = 7.5
[out]
host = [%[4]q]
sampling = 100
%[5]s
`,
		output, t.Name()+output, path, c.LocalAddr(), options))
	return received(t, c), int(d.Stats("flow").Absorbed)
}

// shown checks that one of the records has all these fields.
func shown(t *testing.T, records []fields, want fields) {
	t.Helper()
	nearest, most := fields{}, 0
	for _, r := range records {
		same := 0
		for name, value := range want {
			if r[name] == value {
				same++
			}
		}
		if same == len(want) {
			return
		}
		if same > most {
			nearest, most = r, same
		}
	}
	t.Errorf("no record has %v; the nearest is %v", want, nearest)
}

// TestOptions reads options records back. FLOW's idle timeout is seven and a half seconds, told as
// eight.
func TestOptions(t *testing.T) {
	t.Parallel()
	timeouts, name := fields{"flowActiveTimeout": "120", "flowIdleTimeout": "8"}, fields{"interfaceName": "lo"}
	ipfix := []fields{
		timeouts, with(name, fields{"ingressInterface": "1"}),
		{"selectorId": "1", "selectorAlgorithm": "1", "samplingPacketInterval": "1", "samplingPacketSpace": "99"},
		{"notSentFlowTotalCount": "0", "notSentPacketTotalCount": "0", "notSentOctetTotalCount": "0"},
		{"ignoredPacketTotalCount": "0"},
	}
	v9 := []fields{timeouts, name, {"samplingInterval": "100", "samplingAlgorithm": "1"}}
	if os.Getenv("ULOGD_TEST_EXEC") != "" { // an emulator of the other byte order garbles the kernel's list of interfaces
		ipfix, v9 = slices.Delete(ipfix, 1, 2), slices.Delete(v9, 1, 2)
	}
	for _, c := range []struct {
		output, options string
		want            []fields
		programs        []program
	}{
		{"IPFIX", "proto = \"udp\"\noptions_interval = 600", ipfix, []program{{"tshark", readTshark, nil}, {"ipfixDump", readIPFIXDump, nil}, {"goflow2", readGoflow2, nil}}},
		{"NETFLOW9", "options_records = true", v9, []program{{"tshark", readTshark, nil}, {"goflow2", readGoflow2, nil}}},
	} {
		messages, packets := traced(t, c.output, c.options)
		for _, p := range c.programs {
			t.Run(c.output+"/"+p.name, func(t *testing.T) {
				got := p.read(t, messages)
				for _, want := range c.want {
					shown(t, got, want)
				}
			})
		}
		// Those that keep flows apply the announcement to what they count.
		for counter, p := range map[string]program{"packetDeltaCount": {"nfdump", readNfdump, nil}, "packets": {"nfacctd", readNfacctd, nil}} {
			t.Run(c.output+"/"+p.name, func(t *testing.T) {
				sum := 0
				for _, r := range p.read(t, messages) {
					n, _ := strconv.Atoi(r[counter])
					sum += n
				}
				if sum != 100*packets {
					t.Errorf("%d packets, want a hundred times %d", sum, packets)
				}
			})
		}
	}
}
