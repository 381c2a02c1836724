package decoders

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
	"ulogd/test/packettest"
)

// capture writes messages into a capture file, as packets to the protocol's port.
func capture(t *testing.T, messages [][]byte) (path string) {
	t.Helper()
	var packets []packettest.Packet
	for _, m := range messages {
		packets = append(packets, packettest.Packet{Time: time.Now(), Data: packettest.Build(
			packettest.Ethernet{}, packettest.IPv4{}, packettest.UDP{Src: 40000, Dst: 4739}, packettest.Raw(m))})
	}
	var file bytes.Buffer
	if err := packettest.WritePcap(&file, 1, packettest.Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "export.pcap")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var tsharkLabel = regexp.MustCompile(`^\s+\[?([^:\[]+): (.*?)\]?$`)

// readTshark lets tshark dissect the messages.
func readTshark(t *testing.T, messages [][]byte) (records []fields) {
	nstest.Need(t, "tool:tshark")
	cmd := exec.Command("tshark", "-n", "-r", capture(t, messages), "-d", "udp.port==4739,cflow", "-O", "cflow", "-V")
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
	inFlow, header := false, fields{}
	for line := range strings.SplitSeq(string(out), "\n") {
		switch {
		case regexp.MustCompile(`^\s+Flow \d+$`).MatchString(line):
			records, inFlow = append(records, fields{}), true
		default:
			inFlow = inFlow && strings.HasPrefix(line, "            ") // a record's fields are three levels down
			m := tsharkLabel.FindStringSubmatch(line)
			switch {
			case m == nil:
			case inFlow:
				tsharkField(records[len(records)-1], header, strings.TrimSpace(m[1]), m[2])
			default:
				header[strings.TrimSpace(m[1])] = m[2]
			}
		}
	}
	return records
}

// tsharkNames are the labels that tshark has for elements.
var tsharkNames = map[string]string{
	"SrcAddr": "source%sAddress", "DstAddr": "destination%sAddress", "SrcPort": "sourceTransportPort", "DstPort": "destinationTransportPort",
	"Protocol": "protocolIdentifier", "Octets": "octetDeltaCount", "Permanent Octets": "octetTotalCount", "Packets": "packetDeltaCount", "Permanent Packets": "packetTotalCount",
	"StartTime": "flowStartMilliseconds", "EndTime": "flowEndMilliseconds", "Flow Id": "flowId", "Flow End Reason": "flowEndReason",
	"InputInt": "ingressInterface", "OutputInt": "egressInterface", "Vlan Id": "vlanId", "IP ToS": "ipClassOfService", "TCP Flags": "tcpControlBits",
	"NextHop": "ipNextHop%sAddress", "SrcMask": "source%sPrefixLength", "DstMask": "destination%sPrefixLength",
	"Post NAT Source IPv4 Address": "postNATSourceIPv4Address", "Post NAT Destination IPv4 Address": "postNATDestinationIPv4Address",
	"Post NAT Source IPv6 Address": "postNATSourceIPv6Address", "Post NAT Destination IPv6 Address": "postNATDestinationIPv6Address",
	"Post NAPT Source Transport Port": "postNAPTSourceTransportPort", "Post NAPT Destination Transport Port": "postNAPTDestinationTransportPort",
	"Nat Event": "natEvent", "Observation Time Milliseconds": "observationTimeMilliseconds", "ICMP Type": "icmpTypeCodeIPv4",
	"IP TTL": "ipTTL", "fragIdent": "fragmentIdentification",
	"Flow active timeout": "flowActiveTimeout", "Flow inactive timeout": "flowIdleTimeout", "Selector Id": "selectorId", "Selector Algorithm": "selectorAlgorithm",
	"Sampling Packet Interval": "samplingPacketInterval", "Sampling Packet Space": "samplingPacketSpace", "Sampling interval": "samplingInterval", "Sampling algorithm": "samplingAlgorithm",
	"IfName": "interfaceName", "ScopeInterface": "scopeInterface", "ingressInterface": "ingressInterface", "Not Sent Flows": "notSentFlowTotalCount", "Not Sent Packets": "notSentPacketTotalCount",
	"Not Sent Octets": "notSentOctetTotalCount", "Ignored Packets": "ignoredPacketTotalCount",
	"Source Mac Address": "sourceMacAddress", "Destination Mac Address": "destinationMacAddress",
	"Direction": "flowDirection", "Dot1q Vlan Id": "dot1qVlanId", "Dot1q Priority": "dot1qPriority", "Dot1q Customer Vlan Id": "dot1qCustomerVlanId",
	"Dot1q Customer Priority": "dot1qCustomerPriority", "IPVersion": "ipVersion", "MinTTL": "minimumTTL", "MaxTTL": "maximumTTL",
	"Fragment Offset": "fragmentOffset", "IP Fragment Flags": "fragmentFlags", "IPHeaderLen": "ipv4IHL", "IPV4 Total Length": "totalLengthIPv4",
	"TCP Sequence Number": "tcpSequenceNumber", "TCP Windows Size": "tcpWindowSize",
}

var (
	tsharkEnterprise = regexp.MustCompile(`^\(netfilter/iptables project\) Type (\d+): Value \(hex bytes\): (.*)`)
	tsharkReverse    = regexp.MustCompile(`^(.*) \(Reverse Type \d+ .*\)`)
)

// tsharkField takes one line of a record. header is what the message says of itself.
func tsharkField(f, header fields, label, value string) {
	if m := tsharkEnterprise.FindStringSubmatch(value); m != nil {
		id, _ := strconv.Atoi(m[1])
		data, _ := hex.DecodeString(strings.ReplaceAll(m[2], " ", ""))
		if e, ok := lookup(netfilter, uint16(id)); ok {
			f[e.name] = e.show(data)
		}
		return
	}
	switch label {
	case "IPv6 ICMP Type", "IPv6 ICMP Code":
		typ, _ := strconv.Atoi(f["icmpTypeCodeIPv6"])
		n, _ := strconv.Atoi(value)
		f["icmpTypeCodeIPv6"] = fmt.Sprint(typ<<8 | n)
		return
	case "StartTime", "EndTime":
		if _, again := f[tsharkNames[label]]; again { // of the reverse direction, without saying so
			return
		}
		if up, ok := strings.CutSuffix(value, " seconds"); ok {
			value = sinceBoot(header, up)
		} else if strings.HasPrefix(value, "Jan  1, 1970 00:00:00.0") { // how it shows an uptime of 0
			value = sinceBoot(header, "0")
		}
	}
	name, ok := tsharkNames[label]
	if !ok {
		f[label] = value
		return
	}
	if strings.Contains(name, "%s") {
		version := "IPv4"
		if strings.Contains(f["sourceIPv6Address"]+value, ":") {
			version = "IPv6"
		}
		name = fmt.Sprintf(name, version)
	}
	if m := tsharkReverse.FindStringSubmatch(value); m != nil {
		name, value = "reverse"+strings.ToUpper(name[:1])+name[1:], m[1]
	}
	f[name] = tsharkValue(value)
}

// sinceBoot turns an uptime of NetFlow v9 into the time that the header's uptime and time make of
// it.
func sinceBoot(header fields, uptime string) string {
	sent, err := time.Parse("Jan _2, 2006 15:04:05.000000000 UTC", header["Timestamp"])
	if err != nil {
		return uptime
	}
	up, _ := strconv.ParseFloat(uptime, 64)
	now, _ := strconv.ParseFloat(strings.TrimSuffix(header["SysUptime"], " seconds"), 64)
	return fmt.Sprint(sent.UnixMilli() + int64(math.Round((up-now)*1000)))
}

// tsharkValue takes the number out of what tshark writes: 6 of "TCP (6)", 184 of "0xb8",
// milliseconds of a time.
func tsharkValue(s string) string {
	if at, err := time.Parse("Jan _2, 2006 15:04:05.000000000 UTC", s); err == nil {
		return fmt.Sprint(at.UnixMilli())
	}
	if i := strings.LastIndexByte(s, '('); i >= 0 && strings.HasSuffix(s, ")") {
		s = s[i+1 : len(s)-1]
	}
	if word, _, _ := strings.Cut(s, ","); strings.HasPrefix(word, "0x") {
		if n, err := strconv.ParseUint(word[2:], 16, 64); err == nil {
			return fmt.Sprint(n)
		}
	}
	return s
}
