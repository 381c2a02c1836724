// Package decoders holds the exporters against programs that others wrote: what was put in must
// come out of each of them, element by element.
package decoders

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"ulogd/test/packettest"
)

// A cell is a kind of template: rows that go in, by ulogd's keys, and the records that must come
// out, by the names of the IANA registry or, under netfilter's number, of keys; a connection's mark
// and a packet's are one element. Numbers are decimal, times milliseconds since 1970, raw data
// hexadecimal. No two records of all cells have the same source.
type cell struct {
	name  string
	stack string // plugins between input and output
	set   string // options of the output, TOML
	rows  []fields
	want  []fields
	setV9 string // settings of NetFlow v9
	noV9  bool   // NetFlow v9 has no such records
}

type fields = map[string]string

// with returns the first fields with the others added or, where they are empty, removed.
func with(all ...fields) fields {
	out := fields{}
	for _, f := range all {
		maps.Copy(out, f)
	}
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	return out
}

// began is when the first flow begins. NetFlow v9 tells times as uptimes, which wrap after 49 days,
// so that they cannot be those of any year.
var began = time.Now().Add(-time.Minute).Truncate(time.Second).UnixMilli()

// at returns the time so many milliseconds later, as keys have it, in nanoseconds.
func at(ms int64) string { return fmt.Sprint((began + ms) * 1e6) }

// wantAt returns the same time in milliseconds.
func wantAt(ms int64) string { return fmt.Sprint(began + ms) }

// The times of all flows.
var (
	times    = fields{"flow.start": at(123), "flow.end": at(5456)}
	wantTime = fields{"flowStartMilliseconds": wantAt(123), "flowEndMilliseconds": wantAt(5456)}
)

// tuple is both sides of a connection that nobody translates.
func tuple(family, src, dst, proto, sport, dport string) fields {
	return fields{
		"oob.family": family, "orig.ip.saddr": src, "orig.ip.daddr": dst, "orig.ip.protocol": proto, "orig.l4.sport": sport, "orig.l4.dport": dport,
		"reply.ip.saddr": dst, "reply.ip.daddr": src, "reply.ip.protocol": proto, "reply.l4.sport": dport, "reply.l4.dport": sport,
	}
}

func wantTuple(src, dst, proto, sport, dport string) fields {
	v := "IPv4"
	if strings.Contains(src, ":") {
		v = "IPv6"
	}
	return fields{
		"source" + v + "Address": src, "destination" + v + "Address": dst, "protocolIdentifier": proto, "sourceTransportPort": sport, "destinationTransportPort": dport,
	}
}

func counts(packets, octets, rpackets, roctets string) fields {
	return fields{"orig.raw.pktcount": packets, "orig.raw.pktlen": octets, "reply.raw.pktcount": rpackets, "reply.raw.pktlen": roctets}
}

// ended is what conntrack knows of a TCP connection that was closed.
func ended(id string) fields {
	return with(times, fields{"ct.id": id, "ct.event": "4", "ct.tcp.state": "7"})
}

func wantEnded(id string) fields { return with(wantTime, fields{"flowId": id, "flowEndReason": "3"}) }

const (
	ipv4 = "2" // linux/socket.h's AF_INET and AF_INET6
	ipv6 = "10"
)

var matrix = []cell{
	{
		name: "IPv4 uniflow", // of conntrack: counters are totals
		rows: []fields{with(tuple(ipv4, "10.1.0.1", "192.0.2.1", "6", "40001", "443"), counts("8589934592", "1099511627783", "9", "1111"), ended("1001"))},
		want: []fields{
			with(wantTuple("10.1.0.1", "192.0.2.1", "6", "40001", "443"), wantEnded("1001"), fields{"packetTotalCount": "8589934592", "octetTotalCount": "1099511627783"}),
			with(wantTuple("192.0.2.1", "10.1.0.1", "6", "443", "40001"), wantEnded("1001"), fields{"packetTotalCount": "9", "octetTotalCount": "1111"}),
		},
	},
	{
		name: "IPv6 uniflow", // of FLOW: counters are deltas
		rows: []fields{with(tuple(ipv6, "2001:db8::2", "2001:db8:1::2", "6", "40002", "443"), counts("7", "777", "9", "999"), times,
			fields{"flow.end.reason": "3", "orig.ip.tos": "184", "orig.tcp.flags": "27", "reply.ip.tos": "32", "reply.tcp.flags": "18"})},
		want: []fields{
			with(wantTuple("2001:db8::2", "2001:db8:1::2", "6", "40002", "443"), wantTime, fields{"packetDeltaCount": "7", "octetDeltaCount": "777", "flowEndReason": "3", "ipClassOfService": "184", "tcpControlBits": "27"}),
			with(wantTuple("2001:db8:1::2", "2001:db8::2", "6", "443", "40002"), wantTime, fields{"packetDeltaCount": "9", "octetDeltaCount": "999", "flowEndReason": "3", "ipClassOfService": "32", "tcpControlBits": "18"}),
		},
	},
	{
		name: "biflow", set: `direction = "biflow"`, noV9: true,
		rows: []fields{
			with(tuple(ipv4, "10.1.0.3", "192.0.2.3", "6", "40003", "443"), counts("7", "777", "9", "999"), times, fields{
				"flow.end.reason": "1", "orig.ip.tos": "184", "orig.tcp.flags": "27", "reply.ip.tos": "32", "reply.tcp.flags": "18",
				"reply.flow.start": at(1000), "reply.flow.end": at(4000),
			}),
			with(tuple(ipv4, "10.1.0.4", "192.0.2.3", "6", "40004", "443"), counts("5", "555", "0", "0"), times, fields{"flow.end.reason": "1"}), // one way
		},
		want: []fields{
			with(wantTuple("10.1.0.3", "192.0.2.3", "6", "40003", "443"), wantTime, fields{
				"packetDeltaCount": "7", "octetDeltaCount": "777", "reversePacketDeltaCount": "9", "reverseOctetDeltaCount": "999", "flowEndReason": "1",
				"ipClassOfService": "184", "tcpControlBits": "27", "reverseIpClassOfService": "32", "reverseTcpControlBits": "18",
				"reverseFlowStartMilliseconds": wantAt(1000), "reverseFlowEndMilliseconds": wantAt(4000),
			}),
			with(wantTuple("10.1.0.4", "192.0.2.3", "6", "40004", "443"), wantTime, fields{"packetDeltaCount": "5", "octetDeltaCount": "555", "flowEndReason": "1"}),
		},
	},
	{
		name: "NAT", // of source and destination at once
		rows: []fields{
			with(tuple(ipv4, "10.1.0.5", "192.0.2.5", "6", "40005", "80"), counts("5", "555", "0", "0"), ended("1005"),
				fields{"reply.ip.saddr": "172.16.0.80", "reply.l4.sport": "8080", "reply.ip.daddr": "198.51.100.5", "reply.l4.dport": "60005"}),
			with(tuple(ipv6, "fd00::5", "2001:db8:1::5", "6", "40005", "80"), counts("5", "555", "0", "0"), ended("1006"),
				fields{"reply.ip.daddr": "2001:db8:5::5", "reply.l4.dport": "60006"}),
		},
		want: []fields{
			with(wantTuple("10.1.0.5", "192.0.2.5", "6", "40005", "80"), wantEnded("1005"), fields{
				"packetTotalCount": "5", "octetTotalCount": "555", "postNATSourceIPv4Address": "198.51.100.5", "postNAPTSourceTransportPort": "60005",
				"postNATDestinationIPv4Address": "172.16.0.80", "postNAPTDestinationTransportPort": "8080",
			}),
			with(wantTuple("fd00::5", "2001:db8:1::5", "6", "40005", "80"), wantEnded("1006"), fields{
				"packetTotalCount": "5", "octetTotalCount": "555", "postNATSourceIPv6Address": "2001:db8:5::5", "postNAPTSourceTransportPort": "60006",
				"postNATDestinationIPv6Address": "2001:db8:1::5", "postNAPTDestinationTransportPort": "80",
			}),
		},
	},
	{
		name: "natEvent", set: "nat_events = true", setV9: "nat_events = true",
		rows: []fields{
			with(tuple(ipv4, "10.1.0.7", "192.0.2.7", "6", "40007", "80"), fields{"ct.id": "1007", "ct.event": "1", "flow.start": at(123), "reply.ip.daddr": "198.51.100.7", "reply.l4.dport": "60007"}),
			with(tuple(ipv4, "10.1.0.8", "192.0.2.8", "6", "40008", "80"), counts("5", "555", "0", "0"), ended("1008"), fields{"reply.ip.daddr": "198.51.100.8", "reply.l4.dport": "60008"}),
		},
		want: []fields{
			with(wantTuple("10.1.0.7", "192.0.2.7", "6", "40007", "80"), fields{
				"natEvent": "4", "observationTimeMilliseconds": wantAt(123),
				"postNATSourceIPv4Address": "198.51.100.7", "postNAPTSourceTransportPort": "60007", "postNATDestinationIPv4Address": "192.0.2.7", "postNAPTDestinationTransportPort": "80",
			}),
			with(wantTuple("10.1.0.8", "192.0.2.8", "6", "40008", "80"), fields{
				"natEvent": "5", "observationTimeMilliseconds": wantAt(5456),
				"postNATSourceIPv4Address": "198.51.100.8", "postNAPTSourceTransportPort": "60008", "postNATDestinationIPv4Address": "192.0.2.8", "postNAPTDestinationTransportPort": "80",
			}),
			with(wantTuple("10.1.0.8", "192.0.2.8", "6", "40008", "80"), wantEnded("1008"), fields{
				"packetTotalCount": "5", "octetTotalCount": "555",
				"postNATSourceIPv4Address": "198.51.100.8", "postNAPTSourceTransportPort": "60008", "postNATDestinationIPv4Address": "192.0.2.8", "postNAPTDestinationTransportPort": "80",
			}),
		},
	},
	{
		name: "natEvent alone", set: `nat_events = "only"`, setV9: `nat_events = "only"`,
		rows: []fields{
			with(tuple(ipv4, "10.1.0.17", "192.0.2.17", "6", "40017", "80"),
				fields{
					"ct.id": "1017", "ct.event": "1", "flow.start": at(123), "reply.ip.daddr": "198.51.100.17",
					"reply.l4.dport": "60017",
				}),
			with(tuple(ipv4, "10.1.0.17", "192.0.2.17", "6", "40017", "80"), counts("5", "555", "0", "0"), ended("1017"),
				fields{"reply.ip.daddr": "198.51.100.17", "reply.l4.dport": "60017"}),
			with(tuple(ipv4, "10.1.0.18", "192.0.2.18", "6", "40018", "80"), counts("5", "555", "0", "0"), ended("1018"), nil),
		},
		want: []fields{
			with(wantTuple("10.1.0.17", "192.0.2.17", "6", "40017", "80"), fields{
				"natEvent": "4", "observationTimeMilliseconds": wantAt(123),
				"postNATSourceIPv4Address": "198.51.100.17", "postNAPTSourceTransportPort": "60017",
				"postNATDestinationIPv4Address": "192.0.2.17", "postNAPTDestinationTransportPort": "80",
			}),
			with(wantTuple("10.1.0.17", "192.0.2.17", "6", "40017", "80"), fields{
				"natEvent": "5", "observationTimeMilliseconds": wantAt(5456),
				"postNATSourceIPv4Address": "198.51.100.17", "postNAPTSourceTransportPort": "60017",
				"postNATDestinationIPv4Address": "192.0.2.17", "postNAPTDestinationTransportPort": "80",
			}),
		},
	},
	{
		name: "ICMP",
		rows: []fields{
			with(tuple(ipv4, "10.1.0.9", "192.0.2.9", "1", "", ""), counts("3", "252", "0", "0"), times, fields{"ct.id": "1009", "ct.event": "4", "icmp.type": "8", "icmp.code": "0"}),
			with(tuple(ipv6, "2001:db8::9", "2001:db8:1::9", "58", "", ""), counts("3", "312", "0", "0"), times, fields{"ct.id": "1010", "ct.event": "4", "icmp.type": "128", "icmp.code": "0"}),
		},
		want: []fields{
			with(wantTuple("10.1.0.9", "192.0.2.9", "1", "", ""), wantEnded("1009"), fields{"packetTotalCount": "3", "octetTotalCount": "252", "flowEndReason": "1", "icmpTypeCodeIPv4": "2048"}),
			with(wantTuple("2001:db8::9", "2001:db8:1::9", "58", "", ""), wantEnded("1010"), fields{"packetTotalCount": "3", "octetTotalCount": "312", "flowEndReason": "1", "icmpTypeCodeIPv6": "32768"}),
		},
	},
	{
		name: "VLAN and MAC",
		rows: []fields{with(tuple(ipv4, "10.1.0.11", "192.0.2.11", "17", "40011", "53"), counts("1", "70", "0", "0"), times, fields{
			"flow.end.reason": "1", "oob.ifindex_in": "70001", "oob.ifindex_out": "3", "oob.vlan.id": "77", "orig.mac.saddr": "02:00:00:00:00:01", "orig.mac.daddr": "02:00:00:00:00:02",
		})},
		want: []fields{with(wantTuple("10.1.0.11", "192.0.2.11", "17", "40011", "53"), wantTime, fields{
			"packetDeltaCount": "1", "octetDeltaCount": "70", "flowEndReason": "1",
			"ingressInterface": "70001", "egressInterface": "3", "vlanId": "77", "sourceMacAddress": "02:00:00:00:00:01", "destinationMacAddress": "02:00:00:00:00:02",
		})},
	},
	{
		name: "route",
		rows: []fields{
			with(tuple(ipv4, "10.1.0.12", "192.0.2.12", "17", "40012", "53"), counts("1", "70", "0", "0"), times, fields{"flow.end.reason": "2", "route.nexthop": "10.1.0.254", "route.src.plen": "24", "route.dst.plen": "16"}),
			with(tuple(ipv6, "2001:db8::12", "2001:db8:1::12", "17", "40012", "53"), counts("1", "90", "0", "0"), times, fields{"flow.end.reason": "2", "route.nexthop": "fe80::fe", "route.src.plen": "64", "route.dst.plen": "48"}),
		},
		want: []fields{
			with(wantTuple("10.1.0.12", "192.0.2.12", "17", "40012", "53"), wantTime, fields{
				"packetDeltaCount": "1", "octetDeltaCount": "70", "flowEndReason": "2", "ipNextHopIPv4Address": "10.1.0.254", "sourceIPv4PrefixLength": "24", "destinationIPv4PrefixLength": "16",
			}),
			with(wantTuple("2001:db8::12", "2001:db8:1::12", "17", "40012", "53"), wantTime, fields{
				"packetDeltaCount": "1", "octetDeltaCount": "90", "flowEndReason": "2", "ipNextHopIPv6Address": "fe80::fe", "sourceIPv6PrefixLength": "64", "destinationIPv6PrefixLength": "48",
			}),
		},
	},
	{
		name: "enterprise", set: "options_interval = 3600\nenterprise = true", // whose records describe the elements
		rows: []fields{with(tuple(ipv4, "10.1.0.13", "192.0.2.13", "17", "40013", "53"), counts("1", "70", "0", "0"), times,
			fields{"ct.id": "1013", "ct.event": "4", "ct.mark": "3735928559", "ct.zone": "5", "ct.labels": "0102030405060708090a0b0c0d0e0f10"})},
		want: []fields{with(wantTuple("10.1.0.13", "192.0.2.13", "17", "40013", "53"), wantEnded("1013"), fields{
			"packetTotalCount": "1", "octetTotalCount": "70", "flowEndReason": "1", "mark": "3735928559", "ct.zone": "5", "ct.labels": "0102030405060708090a0b0c0d0e0f10",
		})},
	},
	{
		name: "packets", set: "options_interval = 3600\nenterprise = true", stack: "base:BASE,", noV9: true, // with the prefix of the rule that logged them: fields of variable length
		rows: []fields{packet("10.1.0.14", "ssh: "), packet("10.1.0.15", "défense "+strings.Repeat("x", 200))},
		want: []fields{wantPacket("10.1.0.14", "ssh: "), wantPacket("10.1.0.15", "défense "+strings.Repeat("x", 200))},
	},
	{
		name: "counters", set: `options_interval = 3600`, noV9: true, // as NFACCT reads them
		rows: []fields{{"sum.name": "http", "sum.pkts": "1099511627776", "sum.bytes": "1125899906842624", "oob.time": at(123)}},
		want: []fields{{"sum.name": "http", "packetTotalCount": "1099511627776", "octetTotalCount": "1125899906842624", "observationTimeMilliseconds": wantAt(123)}},
	},
	{
		name: "counters set to zero", set: `options_interval = 3600`, noV9: true, // by who reads them
		rows: []fields{{"sum.name": "dns", "sum.pkts": "1099511627777", "sum.bytes": "1125899906842625", "oob.time": at(123)}},
		want: []fields{{
			"sum.name": "dns", "packetDeltaCount": "1099511627777", "octetDeltaCount": "1125899906842625",
			"observationTimeMilliseconds": wantAt(123),
		}},
	},
}

func packet(src, prefix string) fields {
	data := packettest.Build(packettest.IPv4{Src: src, Dst: "192.0.2.14", TTL: 61, TOS: 16, ID: 4660}, packettest.TCP{Src: 40014, Dst: 22, Flags: 2})
	return fields{
		"oob.family": ipv4, "oob.protocol": "2048", "raw.pkt": string(data), "raw.pktlen": fmt.Sprint(len(data)), "raw.pktcount": "1", "oob.time": at(123),
		"oob.prefix": prefix, "oob.mark": "7", "oob.hook": "1", "oob.ifindex_in": "2", "oob.uid": "1000", "oob.gid": "100",
	}
}

func wantPacket(src, prefix string) fields {
	return with(wantTuple(src, "192.0.2.14", "6", "40014", "22"), fields{
		"flowStartMilliseconds": wantAt(123), "flowEndMilliseconds": wantAt(123), "packetDeltaCount": "1", "octetDeltaCount": "40", "ipClassOfService": "16", "ipTTL": "61", "fragmentIdentification": "4660",
		"tcpControlBits": "2", "ingressInterface": "2", "ethernetType": "2048", "oob.prefix": prefix, "mark": "7", "oob.hook": "1", "oob.uid": "1000", "oob.gid": "100",
	})
}
