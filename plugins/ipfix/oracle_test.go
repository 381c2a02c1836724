// What programs that we did not write make of the records: tshark, nfcapd with nfdump.

package ipfix

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/nstest"
	"ulogd/engine/packettest"
)

// tshark dissects messages and returns what it says of each data record, one map of its labels per record.
func tshark(t *testing.T, messages [][]byte) []map[string]string {
	t.Helper()
	nstest.Need(t, "tool:tshark")
	var packets []packettest.Packet
	for _, m := range messages {
		packets = append(packets, packettest.Packet{Data: packettest.Build(
			packettest.Ethernet{}, packettest.IPv4{}, packettest.UDP{Src: 40000, Dst: 4739}, packettest.Raw(m))})
	}
	var file bytes.Buffer
	if err := packettest.WritePcap(&file, 1, packettest.Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "export.pcap")
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tshark", "-n", "-r", name, "-d", "udp.port==4739,cflow", "-O", "cflow", "-V")
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, out)
	}
	for _, bad := range []string{"Malformed", "Unexpected flow sequence", "No template found", "Exception"} {
		if i := bytes.Index(out, []byte(bad)); i >= 0 {
			t.Errorf("tshark says %q:\n%s", bad, out[max(0, i-2000):min(len(out), i+200)])
		}
	}
	var records []map[string]string
	inFlow := false
	label := regexp.MustCompile(`^\s+\[?([^:\[]+): (.*?)\]?$`)
	for line := range strings.SplitSeq(string(out), "\n") {
		switch {
		case regexp.MustCompile(`^\s+Flow \d+$`).MatchString(line):
			records, inFlow = append(records, map[string]string{}), true
		case !strings.HasPrefix(line, "    "):
			inFlow = false
		case inFlow:
			if m := label.FindStringSubmatch(line); m != nil {
				name := strings.TrimSpace(m[1])
				if strings.Contains(m[2], "(Reverse Type ") {
					name = "Reverse " + name
				}
				records[len(records)-1][name] = m[2]
			}
		}
	}
	return records
}

// nfcapd stores what arrives on a port of the loopback address until read is called, which returns nfdump's view of the records.
func nfcapd(t *testing.T) (port string, read func() []map[string]string) {
	t.Helper()
	nstest.Need(t, "tool:nfcapd", "tool:nfdump")
	dir := t.TempDir()
	for range 5 { // the port may be taken between our looking and nfcapd's binding
		l, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(l.LocalAddr().String())
		l.Close()
		cmd := exec.Command("nfcapd", "-b", "127.0.0.1", "-p", port, "-w", dir, "-t", "3600", "-I", "test", "-B", "1000000")
		var log bytes.Buffer
		cmd.Stdout, cmd.Stderr = &log, &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		t.Cleanup(func() { cmd.Process.Kill(); <-ended; ended <- nil })
		if !listening(port, ended) {
			ended <- nil
			continue
		}
		return port, func() []map[string]string {
			t.Helper()
			cmd.Process.Signal(syscall.SIGTERM)
			err := <-ended
			ended <- nil
			if err != nil {
				t.Fatalf("nfcapd: %v\n%s", err, log.Bytes())
			}
			if !strings.Contains(log.String(), "Sequence Errors: 0") {
				t.Errorf("nfcapd counts sequence errors:\n%s", log.Bytes())
			}
			dump := exec.Command("nfdump", "-R", dir, "-o", "raw", "-q")
			dump.Env = append(os.Environ(), "TZ=UTC")
			out, err := dump.CombinedOutput()
			if err != nil {
				t.Fatalf("nfdump: %v\n%s", err, out)
			}
			return nfdumpRecords(string(out))
		}
	}
	t.Fatal("nfcapd does not start")
	return "", nil
}

// listening waits until somebody has bound the UDP port.
func listening(port string, ended chan error) bool {
	n, _ := strconv.Atoi(port)
	row := fmt.Sprintf(":%04X ", n)
	for range 400 {
		if table, _ := os.ReadFile("/proc/net/udp"); bytes.Contains(table, []byte(row)) {
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return false
}

func nfdumpRecords(out string) (records []map[string]string) {
	for line := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(line, "Flow Record") {
			records = append(records, map[string]string{})
			continue
		}
		if name, value, ok := strings.Cut(line, " = "); ok && len(records) > 0 {
			records[len(records)-1][strings.TrimSpace(name)] = strings.Join(strings.Fields(value), " ")
		}
	}
	return records
}

// matrix is one flow for each kind of template.
func matrix() []flow {
	const second = int64(1e9)
	at := 1767225600 * second // 2026-01-01 00:00:00 UTC
	base := flow{src: "10.1.2.3", dst: "192.0.2.9", proto: 6, sport: 40001, dport: 443, pkts: 1 << 33, octets: 1<<40 + 7, rpkts: 9, roctets: 1111, start: at + 123e6, end: at + 5*second + 456e6, mark: 0xdeadbeef}
	var l []flow
	add := func(change func(f *flow)) {
		f := base
		f.id = uint32(1000 + len(l))
		change(&f)
		l = append(l, f)
	}
	add(func(*flow) {})
	add(func(f *flow) { f.rpkts, f.roctets = 0, 0 })
	add(func(f *flow) { f.src, f.dst = "2001:db8::1", "2001:db8:1::2" })
	add(func(f *flow) { f.proto, f.sport, f.dport, f.icmp, f.icmpType = 1, 0, 0, true, 8 })
	add(func(f *flow) { f.rdst, f.rdport = "198.51.100.5", 60123 })
	add(func(f *flow) { f.rsrc, f.rsport = "172.16.0.80", 8443 })
	add(func(f *flow) { f.ifin, f.ifout, f.vlan = 70001, 3, 77 })
	add(func(f *flow) {
		f.macs, f.smac, f.dmac = true, engine.MAC{2, 0, 0, 0, 0, 1}, engine.MAC{2, 0, 0, 0, 0, 2}
	})
	add(func(f *flow) { f.routed, f.nexthop, f.splen, f.dplen = true, "10.1.2.254", 24, 16 })
	add(func(f *flow) { f.shaped, f.tos, f.rtos, f.flags, f.rflags = true, 0xb8, 0x20, 0x1b, 0x12 })
	return l
}

// export sends flows one message each to a collector of ours and to others, and returns the messages that ours got.
func exportFlows(t *testing.T, asct bool, flows []flow, others string, set ...string) [][]byte {
	t.Helper()
	c := listenUDP(t)
	host := c.LocalAddr().String()
	if others != "" {
		host += "," + others
	}
	r := start(t, &feed{asct: asct}, append([]string{"host", host, "proto", "udp", "flush_interval", "0"}, set...)...)
	var messages [][]byte
	s := newSession()
	for _, f := range flows {
		r.give(f)
		for n := 0; n == 0; {
			messages = append(messages, datagram(t, c))
			n = len(s.must(t, messages[len(messages)-1]))
		}
	}
	r.end()
	return messages
}

func TestPrograms(t *testing.T) {
	for _, asct := range []bool{true, false} {
		for _, direction := range []string{"uniflow", "biflow"} {
			t.Run(fmt.Sprintf("%s/conntrack=%v", direction, asct), func(t *testing.T) {
				port, read := nfcapd(t)
				messages := exportFlows(t, asct, matrix(), "127.0.0.1:"+port, "direction", direction)
				var want []map[engine.IE]string
				for _, f := range matrix() {
					want = append(want, expect(&f, false, direction, asct, f.rpkts > 0))
					if direction == "uniflow" && f.rpkts > 0 {
						want = append(want, expect(&f, true, direction, asct, true))
					}
				}
				agree(t, "tshark", tshark(t, messages), want, tsharkLabels)
				if direction == "biflow" { // nfcapd 1.7.1 reads reverse ToS and TCP flags as if they were the forward direction's
					for _, w := range want {
						delete(w, engine.IE{ID: 5})
						delete(w, engine.IE{ID: 6})
					}
				}
				agree(t, "nfdump", read(), want, nfdumpLabels)
			})
		}
	}
}

// A shown is how a program shows an element: under which label, and the first words of its value.
type shown struct {
	label string
	value func(v []byte) string
}

// agree compares what a program shows with what was to be sent, element by element.
func agree(t *testing.T, program string, got []map[string]string, want []map[engine.IE]string, labels map[engine.IE]shown) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s shows %d records, want %d", program, len(got), len(want))
	}
	compared := 0
	for i, w := range want {
		for ie, text := range w {
			how, ok := labels[ie]
			if !ok {
				continue
			}
			v, _ := hex.DecodeString(text)
			compared++
			if g := got[i][how.label]; g != how.value(v) && !strings.HasPrefix(g, how.value(v)+" ") && !strings.HasPrefix(g, how.value(v)+",") {
				t.Errorf("%s: record %d: %s is %q, want %q", program, i, how.label, g, how.value(v))
			}
		}
	}
	if compared < 8*len(want) {
		t.Errorf("%s: only %d values of %d records were compared", program, compared, len(want))
	}
}

func decimal(v []byte) string {
	var n uint64
	for _, c := range v {
		n = n<<8 | uint64(c)
	}
	return strconv.FormatUint(n, 10)
}

func ipText(v []byte) string { return net.IP(v).String() }

func macText(v []byte) string { return net.HardwareAddr(v).String() }

func last8(format string) func([]byte) string {
	return func(v []byte) string { return fmt.Sprintf(format, v[len(v)-1]) }
}

func clock(v []byte) string {
	n, _ := strconv.ParseInt(decimal(v), 10, 64)
	return time.UnixMilli(n).UTC().Format("Jan _2, 2006 15:04:05.000000000 UTC")
}

var nfdumpLabels = map[engine.IE]shown{
	{ID: 8}: {"src addr", ipText}, {ID: 27}: {"src addr", ipText}, {ID: 12}: {"dst addr", ipText}, {ID: 28}: {"dst addr", ipText},
	{ID: 7}: {"src port", decimal}, {ID: 11}: {"dst port", decimal}, {ID: 4}: {"proto", decimal},
	{ID: 1}: {"in bytes", decimal}, {ID: 85}: {"in bytes", decimal}, {ID: 2}: {"in packets", decimal}, {ID: 86}: {"in packets", decimal},
	{ID: 152}: {"first", decimal}, {ID: 153}: {"last", decimal}, {ID: 136}: {"end reason", last8("0x%02x")},
	{ID: 10}: {"input", decimal}, {ID: 14}: {"output", decimal}, {ID: 58}: {"src vlan", decimal},
	{ID: 56}: {"in src mac", macText}, {ID: 80}: {"in dst mac", macText}, {ID: 15}: {"ip next hop", ipText},
	{ID: 9}: {"src mask", decimal}, {ID: 13}: {"dst mask", decimal},
	{ID: 225}: {"src xlt ip", ipText}, {ID: 226}: {"dst xlt ip", ipText}, {ID: 227}: {"src xlt port", decimal}, {ID: 228}: {"dst xlt port", decimal},
	{ID: 5}: {"src tos", decimal}, {ID: 6}: {"tcp flags", last8("0x%02x")}, {ID: 32}: {"ICMP", func(v []byte) string { return fmt.Sprintf("%d.%d", v[0], v[1]) }},
	{PEN: 29305, ID: 1}: {"out bytes", decimal}, {PEN: 29305, ID: 85}: {"out bytes", decimal},
	{PEN: 29305, ID: 2}: {"out packets", decimal}, {PEN: 29305, ID: 86}: {"out packets", decimal},
}

var tsharkLabels = map[engine.IE]shown{
	{ID: 8}: {"SrcAddr", ipText}, {ID: 27}: {"SrcAddr", ipText}, {ID: 12}: {"DstAddr", ipText}, {ID: 28}: {"DstAddr", ipText},
	{ID: 7}: {"SrcPort", decimal}, {ID: 11}: {"DstPort", decimal}, {ID: 4}: {"Protocol", func(v []byte) string { return map[byte]string{1: "ICMP (1)", 6: "TCP (6)"}[v[0]] }},
	{ID: 1}: {"Octets", decimal}, {ID: 85}: {"Permanent Octets", decimal}, {ID: 2}: {"Packets", decimal}, {ID: 86}: {"Permanent Packets", decimal},
	{ID: 152}: {"StartTime", clock}, {ID: 153}: {"EndTime", clock}, {ID: 148}: {"Flow Id", decimal},
	{ID: 136}: {"Flow End Reason", func(v []byte) string {
		return map[byte]string{1: "Idle timeout (1)", 3: "End of Flow detected (3)"}[v[0]]
	}},
	{ID: 10}: {"InputInt", decimal}, {ID: 14}: {"OutputInt", decimal}, {ID: 58}: {"Vlan Id", decimal},
	{ID: 15}: {"NextHop", ipText}, {ID: 9}: {"SrcMask", decimal}, {ID: 13}: {"DstMask", decimal},
	{ID: 225}: {"Post NAT Source IPv4 Address", ipText}, {ID: 226}: {"Post NAT Destination IPv4 Address", ipText},
	{ID: 227}: {"Post NAPT Source Transport Port", decimal}, {ID: 228}: {"Post NAPT Destination Transport Port", decimal},
	{ID: 5}: {"IP ToS", last8("0x%02x")}, {ID: 6}: {"TCP Flags", last8("0x%04x")}, {ID: 32}: {"ICMP Type", func(v []byte) string { return fmt.Sprintf("0x%02x%02x", v[0], v[1]) }},
	{PEN: 21373, ID: 4}: {"Enterprise Private entry", func(v []byte) string {
		return fmt.Sprintf("(netfilter/iptables project) Type 4: Value (hex bytes): % x", v)
	}},
	{PEN: 29305, ID: 1}: {"Reverse Octets", decimal}, {PEN: 29305, ID: 85}: {"Reverse Permanent Octets", decimal},
	{PEN: 29305, ID: 2}: {"Reverse Packets", decimal}, {PEN: 29305, ID: 86}: {"Reverse Permanent Packets", decimal},
}
