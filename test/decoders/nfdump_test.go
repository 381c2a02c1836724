package decoders

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ulogd/test/nstest"
)

// readNfdump sends the messages to nfcapd, and reads with nfdump what it stored.
func readNfdump(t *testing.T, messages [][]byte) (records []fields) {
	nstest.Need(t, "tool:nfcapd", "tool:nfdump")
	dir := t.TempDir()
	var log bytes.Buffer
	nfcapd, port := startNfcapd(t, dir, &log)
	c, err := net.Dial("udp4", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, m := range messages {
		if _, err := c.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	nstest.DrainUDP(t, port)
	nfcapd.Process.Signal(syscall.SIGTERM)
	if err := nfcapd.Wait(); err != nil {
		t.Fatalf("nfcapd: %v\n%s", err, log.Bytes())
	}
	// It does not count options records, though they are numbered too (RFC 7011 section 3.1).
	if !announcesOptions(messages) && !strings.Contains(log.String(), "Sequence Errors: 0") {
		t.Errorf("nfcapd counts sequence errors:\n%s", log.Bytes())
	}
	dump := exec.Command("nfdump", "-R", dir, "-o", "raw", "-q")
	dump.Env = append(os.Environ(), "TZ=UTC")
	out, err := dump.CombinedOutput()
	if err != nil {
		t.Fatalf("nfdump: %v\n%s", err, out)
	}
	for line := range strings.SplitSeq(string(out), "\n") {
		if strings.HasPrefix(line, "Flow Record") {
			records = append(records, fields{})
		} else if label, value, ok := strings.Cut(line, " = "); ok && len(records) > 0 {
			nfdumpField(records[len(records)-1], strings.TrimSpace(label), strings.TrimSpace(value))
		}
	}
	return records
}

// startNfcapd starts it on a free port.
func startNfcapd(t *testing.T, dir string, log *bytes.Buffer) (*exec.Cmd, string) {
	t.Helper()
	port := strconv.Itoa(nstest.FreePort(t))
	cmd := exec.Command("nfcapd", "-b", "127.0.0.1", "-p", port, "-w", dir, "-t", "3600", "-I", "test", "-B", "1000000")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	if !nstest.BoundUDP(port, nil) {
		t.Fatalf("nfcapd does not start\n%s", log.Bytes())
	}
	return cmd, port
}

// nfdumpNames are the labels that nfdump has for elements. It stores deltas and totals alike.
var nfdumpNames = map[string][]string{
	"src addr": {"source%sAddress"}, "dst addr": {"destination%sAddress"}, "src port": {"sourceTransportPort"}, "dst port": {"destinationTransportPort"},
	"proto": {"protocolIdentifier"}, "in bytes": {"octetDeltaCount", "octetTotalCount"}, "in packets": {"packetDeltaCount", "packetTotalCount"},
	"out bytes": {"reverseOctetDeltaCount"}, "out packets": {"reversePacketDeltaCount"}, "first": {"flowStartMilliseconds"}, "last": {"flowEndMilliseconds"},
	"end reason": {"flowEndReason"}, "input": {"ingressInterface"}, "output": {"egressInterface"}, "src vlan": {"vlanId"}, "in src mac": {"sourceMacAddress"}, "in dst mac": {"destinationMacAddress"},
	"ip next hop": {"ipNextHop%sAddress"}, "src mask": {"source%sPrefixLength"}, "dst mask": {"destination%sPrefixLength"}, "src xlt ip": {"postNATSource%sAddress"}, "dst xlt ip": {"postNATDestination%sAddress"},
	"src xlt port": {"postNAPTSourceTransportPort"}, "dst xlt port": {"postNAPTDestinationTransportPort"}, "nat event": {"natEvent"}, "Event time": {"observationTimeMilliseconds"},
	"src tos": {"ipClassOfService"}, "tcp flags": {"tcpControlBits"}, "ICMP": {"icmpTypeCodeIPv4", "icmpTypeCodeIPv6"},
}

func nfdumpField(f fields, label, value string) {
	word, _, _ := strings.Cut(value, " ")
	switch {
	case label == "ICMP":
		typ, code, _ := strings.Cut(word, ".")
		t, _ := strconv.Atoi(typ)
		c, _ := strconv.Atoi(code)
		word = fmt.Sprint(t<<8 | c)
	case strings.HasPrefix(word, "0x"):
		n, _ := strconv.ParseUint(word[2:], 16, 64)
		word = fmt.Sprint(n)
	}
	for _, name := range nfdumpNames[label] {
		if strings.Contains(name, "%s") {
			version := "IPv4"
			if strings.Contains(f["sourceIPv6Address"]+value, ":") {
				version = "IPv6"
			}
			name = fmt.Sprintf(name, version)
		}
		f[name] = strings.TrimSuffix(word, ":")
	}
}
