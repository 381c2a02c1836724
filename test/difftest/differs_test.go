package difftest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// row is a row of docs/from-ulogd2.md and where it shows: in which scenes, outputs, packets and
// fields. Empty means all.
type row struct {
	title                        string
	scene, output, packet, field string
}

// byCompat are the differences that compat = "ulogd2" takes back.
var byCompat = []row{
	{
		title: "Later IPv4 fragments are decoded as transport headers", packet: "fragment later.*",
		field: `(tcp|udp|icmp)\..*|(src|dest)_port|SPT|DPT|LEN|SEQ|ACK|WINDOW|URGP|TYPE|CODE|ID|INCOMPLETEMARK|MARK`,
	},
	{title: "Details of ICMP are chosen by code", output: "logemu|syslog", packet: `icmp \d+/\d+`, field: "ID|SEQ|GATEWAY|PARAMETER|MTU"},
	{title: "The gateway of a redirect is reversed", packet: `icmp (5|12)/\d+`, field: `icmp\.gateway|GATEWAY`},
	{title: "Checksums of ICMP are byte-swapped", field: `icmp(v6)?\.csum`},
	{title: "The data offset and the reserved bits of TCP are always 0", field: `tcp\.(offset|reserved)`},
	{title: "AH and ESP have no SPI", packet: "(ip6 )?(ah|esp).*", field: `ahesp\.spi|SPI|INCOMPLETEMARK|MARK`},
	{title: "ESP over IPv6 is read as an extension header", packet: "ip6 esp.*", field: `ip\.protocol|ip6\.nexthdr|PROTO`},
	{title: "SCTP over IPv6 is not decoded", packet: "ip6 sctp", field: `sctp\..*|(src|dest)_port|SPT|DPT|INCOMPLETEMARK|MARK`},
	{
		title: "A bare IP header is not read", packet: "header only|snaplen 20",
		field: `ip\..*|(src|dest)_ip|SRC|DST|LEN|TTL|ID|PROTO|INCOMPLETEMARK|MARK`,
	},
	{title: "GPRINT shows IPv6 addresses as IPv4", output: "gprint.*", field: `((orig|reply)\.)?ip\.[sd]addr`},
	{title: "OPRINT reverses addresses", output: "oprint", field: `((orig|reply)\.)?(ip|arp)\.[sd]addr`},
	{title: "IP2HBIN reverses addresses", output: "gprint-bin", field: `((orig|reply)\.)?ip\.h[sd]addr`},
	{title: "IP2BIN and IP2HBIN never set the reply direction's destination", output: "gprint-bin", field: `reply\.ip\.hdaddr`},
	{title: "PRINTFLOW exchanges type and code of ICMP", scene: "TestConnections/.*", output: "logemu|syslog", packet: ".* ip icmp", field: "TYPE|CODE"},
	{
		title: "PRINTFLOW has no ports of SCTP, DCCP and UDP-Lite and no type of ICMPv6", scene: "TestConnections/.*", output: "logemu|syslog",
		packet: ".* ip6 icmpv6", field: "PROTO|TYPE|CODE",
	},
	{title: "PCAP's original length is 0 where BASE could not decode", output: "pcap", packet: "header only|snaplen 20"},
	{title: "ARP is not decoded in its own family", scene: "TestPackets/ARPFamily", packet: ".*arp.*"},
	{title: "Packets of the netdev family are not decoded", scene: "TestPackets/NetdevFamily"},
}

// never are those that stay.
var never = []row{
	{title: "A prefix can forge lines and fields", packet: "prefix (fields|line feed|escape|markup)"},
	{title: "A prefix can break JSON and XML", output: "json.*|xml", packet: "prefix (broken utf-8|escape|markup)"},
	{title: "ARP addresses are pointers", scene: "TestPackets/Bridged", packet: ".*arp.*", field: `arp\.[sd]addr(\.str)?|SRC|DST`},
	{title: "IP2HBIN of IPv6 is a pointer", output: "gprint-bin", packet: "(.* )?i(p|cmp)v?6.*", field: `((orig|reply)\.)?ip\.h[sd]addr`},
}

// shown are the rows that a scene has shown.
var shown = map[string]bool{}

// explained reports whether a row covers a difference.
func explained(rows []row, scene, output, packet, field string) bool {
	found := false
	for _, r := range rows {
		if matches(r.scene, scene) && matches(r.output, output) && matches(r.packet, packet) && matches(r.field, field) {
			shown[r.title] = true
			found = true
		}
	}
	return found
}

func matches(pattern, s string) bool {
	return pattern == "" || regexp.MustCompile("^("+pattern+")$").MatchString(s)
}

// differing returns the names of the fields in which two records differ.
func differing(o output, theirs, ours string) []string {
	var names []string
	a, b := fields(o, theirs), fields(o, ours)
	for f, n := range a {
		if b[f] != n {
			names = append(names, name(f))
		}
	}
	for f, n := range b {
		if a[f] != n {
			names = append(names, name(f))
		}
	}
	if len(names) == 0 && theirs != ours {
		names = append(names, "order")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// fields cuts a record into its fields and counts them.
func fields(o output, record string) map[string]int {
	all := map[string]int{}
	for f := range strings.SplitSeq(strings.TrimSuffix(record, "\n"), o.between) {
		all[f]++
	}
	return all
}

func name(field string) string {
	n, _, _ := strings.Cut(field, "=")
	n, _, _ = strings.Cut(n, `":`)
	return strings.Trim(n, `{"`)
}

// TestEveryRowShows runs after the scenes, and wants that none of their rows is out of date.
func TestEveryRowShows(t *testing.T) {
	if all := len(scenes) + len(modes); compared < all {
		t.Skipf("%d of %d scenes ran", compared, all)
	}
	for _, r := range slices.Concat(byCompat, never) {
		if !shown[r.title] {
			t.Errorf("nothing differs as the row says: %s", r.title)
		}
	}
}
