package difftest

import (
	"fmt"
	"strings"

	. "ulogd/test/packettest"
)

// kind is one packet of a scene.
type kind struct {
	name  string
	frame []byte
}

// The two ends of the cable. The daemons run at the near end.
var (
	near = MAC{2, 0, 0, 0, 0, 1}
	far  = MAC{2, 0, 0, 0, 0, 2}
)

var (
	ether = Ethernet{Dst: near, Src: far}
	ip4   = IPv4{Src: "10.77.0.2", Dst: "10.77.0.1", ID: 4660}
	ip6   = IPv6{Src: "fd77::2", Dst: "fd77::1"}
)

// quoted is the packet that an error message quotes.
var quoted = Raw(Build(IPv4{Src: "10.77.0.1", Dst: "10.77.0.2", ID: 7}, UDP{Src: 40000, Dst: 33434}, Raw("12345678")))

var quoted6 = Raw(Build(IPv6{Src: "fd77::1", Dst: "fd77::2"}, UDP{Src: 40000, Dst: 33434}, Raw("12345678")))

func eth(layers ...Layer) []byte { return Build(append([]Layer{ether}, layers...)...) }

// cut shortens an IPv4 packet to n octets behind its header, and says so in the header.
func cut(h IPv4, l Layer, n int) []byte {
	b := Build(h, l)[20 : 20+n]
	return eth(withProto(h, l), Raw(b))
}

func withProto(h IPv4, l Layer) IPv4 {
	h.Proto = Build(h, l)[9]
	return h
}

func cut6(l Layer, n int) []byte {
	b := Build(ip6, l)
	h := ip6
	h.Next = b[6]
	return eth(h, Raw(b[40:40+n]))
}

func with(h IPv4, change func(*IPv4)) IPv4 {
	change(&h)
	return h
}

// ipKinds are packets that come in by the cable.
func ipKinds() (k []kind) {
	add := func(name string, frame []byte) { k = append(k, kind{name, frame}) }
	for i, name := range []string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"} {
		add("tcp "+name, eth(ip4, TCP{Src: 40001, Dst: 80, Seq: 1000, Ack: 6, Flags: 1 << i, Urgent: 9}))
	}
	add("tcp none", eth(ip4, TCP{Src: 1, Dst: 2}))
	add("tcp all", eth(with(ip4, func(h *IPv4) { h.TOS = 0xff }), TCP{Src: 40003, Dst: 82, Seq: 1<<32 - 1, Ack: 1<<32 - 1, Flags: 0xff, Urgent: 513}))
	reserved := eth(ip4, TCP{Src: 40003, Dst: 83, Flags: ACK})
	reserved[14+20+12] |= 0xf
	add("tcp reserved", reserved)
	add("tcp synack df", eth(with(ip4, func(h *IPv4) { h.DF = true; h.TTL = 57 }), TCP{Src: 80, Dst: 40001, Flags: SYN | ACK}))
	add("tcp options", eth(ip4, TCP{Src: 40001, Dst: 80, Flags: SYN, Options: []byte{2, 4, 5, 180, 4, 2, 1, 3, 3, 7, 1, 1}}))
	add("tcp payload", eth(ip4, TCP{Src: 40001, Dst: 80, Flags: PSH | ACK}, Zeros(1000)))
	add("udp", eth(with(ip4, func(h *IPv4) { h.TOS = 0xb8 }), UDP{Src: 5353, Dst: 53}, Raw("0123456789")))
	add("udp empty", eth(ip4, UDP{Src: 5353, Dst: 54}))
	add("udplite", eth(ip4, UDPLite{Src: 7, Dst: 9}, Raw("xx")))
	add("dccp", eth(ip4, DCCP{Src: 7, Dst: 9}))
	add("sctp", eth(ip4, SCTP{Src: 3000, Dst: 3001, Tag: 5}))
	add("ah", eth(ip4, AH{SPI: 0x1001, Seq: 1}, UDP{Src: 1, Dst: 2}))
	add("esp", eth(ip4, ESP{SPI: 0x1002, Seq: 1}, Zeros(24)))
	add("gre", eth(ip4, GRE{}, Build4()))
	add("ipip", eth(ip4, IPv4{}, UDP{Src: 1, Dst: 2}))
	add("sit", eth(ip4, IPv6{}, UDP{Src: 1, Dst: 2}))
	add("igmp", eth(with(ip4, func(h *IPv4) { h.Proto = 2; h.TTL = 1 }), Raw{0x16, 0, 0, 0, 224, 0, 0, 251}))
	add("protocol 253", eth(with(ip4, func(h *IPv4) { h.Proto = 253 }), Raw("xx")))
	add("ip options", eth(with(ip4, func(h *IPv4) { h.Options = []byte{1, 1, 1, 1} }), UDP{Src: 7, Dst: 7}, Raw("opt")))
	add("fragment first", eth(with(ip4, func(h *IPv4) { h.MF = true; h.ID = 48879 }), UDP{Src: 6000, Dst: 6001, Length: 40}, Zeros(16)))
	add("fragment later", eth(with(ip4, func(h *IPv4) { h.Offset = 24; h.ID = 48879; h.Proto = 17 }), Raw("BBBBBBBBBBBBBBBB")))
	add("fragment later tcp", eth(with(ip4, func(h *IPv4) { h.Offset = 1480; h.MF = true; h.Proto = 6 }), Zeros(32)))
	add("fragment later icmp", eth(with(ip4, func(h *IPv4) { h.Offset = 1480; h.Proto = 1 }), Zeros(32)))
	add("header only", eth(with(ip4, func(h *IPv4) { h.Proto = 59 })))
	add("truncated tcp", cut(ip4, TCP{Src: 5, Dst: 6}, 8))
	add("truncated tcp by one", cut(ip4, TCP{Src: 5, Dst: 6}, 19))
	add("truncated udp", cut(ip4, UDP{Src: 5, Dst: 6}, 4))
	add("truncated icmp", cut(ip4, ICMP{Type: 8}, 4))
	add("truncated sctp", cut(ip4, SCTP{Src: 5, Dst: 6}, 8))

	icmp := func(typ, code uint8, rest uint32, inner ...Layer) {
		add(fmt.Sprintf("icmp %d/%d", typ, code), eth(append([]Layer{ip4, ICMP{Type: typ, Code: code, Rest: rest}}, inner...)...))
	}
	icmp(8, 0, 77<<16|3, Raw("12345678"))
	icmp(0, 0, 77<<16|4, Raw("12345678"))
	for _, code := range []uint8{0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} {
		icmp(3, code, 0, quoted)
	}
	icmp(3, 4, 1400, quoted)
	icmp(4, 0, 0, quoted)
	for code := range uint8(4) {
		icmp(5, code, 0x0a4d00fe, quoted)
	}
	icmp(5, 5, 0x0a4d00fe, quoted)
	icmp(9, 0, 0x01020708, Zeros(8))
	icmp(10, 0, 0)
	icmp(11, 0, 0, quoted)
	icmp(11, 1, 0, quoted)
	icmp(12, 0, 20<<24, quoted)
	icmp(12, 1, 0, quoted)
	icmp(12, 12, 20<<24, quoted)
	icmp(13, 0, 5<<16|6, Zeros(12))
	icmp(14, 0, 5<<16|6, Zeros(12))
	icmp(17, 0, 0, Zeros(4))
	icmp(8, 8, 77<<16|3)
	icmp(30, 0, 0)

	add("ip6 tcp", eth(IPv6{Src: "fd77::2", Dst: "fd77::1", TrafficClass: 32, FlowLabel: 74565, HopLimit: 61}, TCP{Src: 40011, Dst: 443, Seq: 2000, Flags: SYN}))
	add("ip6 udp", eth(ip6, UDP{Src: 5353, Dst: 5353}, Raw("abc")))
	add("ip6 udplite", eth(ip6, UDPLite{Src: 7, Dst: 9}))
	add("ip6 sctp", eth(ip6, SCTP{Src: 3000, Dst: 3001}))
	add("ip6 long addresses", eth(IPv6{Src: "2001:db8:1234:5678:9abc:def0:1234:5678", Dst: "fd77::1"}, UDP{Src: 1, Dst: 2}))
	add("ip6 compatible address", eth(IPv6{Src: "::192.0.2.1", Dst: "fd77::1"}, UDP{Src: 1, Dst: 2}))
	add("ip6 short addresses", eth(IPv6{Src: "::2:0", Dst: "fd77:0:0:1::1"}, UDP{Src: 1, Dst: 2}))
	add("ip6 single zeros", eth(IPv6{Src: "2001:db8:0:1:0:1:0:1", Dst: "fd77:0:0:1:0:0:0:1"}, UDP{Src: 1, Dst: 2}))
	add("ip6 mapped address", eth(IPv6{Src: "64:ff9b::192.0.2.1", Dst: "fd77::1"}, UDP{Src: 1, Dst: 2}))
	for _, typ := range []uint8{1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 143, 200} {
		rest := uint32(0)
		if typ >= 128 {
			rest = 88<<16 | 2
		}
		add(fmt.Sprintf("icmp6 %d", typ), eth(ip6, ICMPv6{Type: typ, Code: typ % 5, Rest: rest}, quoted6))
	}
	add("ip6 hop-by-hop", eth(ip6, HopByHop{}, TCP{Src: 40012, Dst: 22, Flags: SYN}))
	add("ip6 routing", eth(ip6, Routing{Extra: 2}, UDP{Src: 9, Dst: 10}))
	add("ip6 destination options", eth(ip6, DestinationOptions{}, UDP{Src: 9, Dst: 10}, Raw("1")))
	add("ip6 all extensions", eth(ip6, HopByHop{}, DestinationOptions{}, Routing{}, Fragment{ID: 5, MF: true}, DestinationOptions{Extra: 1}, TCP{Src: 1, Dst: 2, Flags: RST}))
	add("ip6 fragment first", eth(ip6, Fragment{ID: 0xabcdef01, MF: true}, UDP{Src: 6000, Dst: 6001, Length: 40}, Zeros(16)))
	add("ip6 fragment later", eth(ip6, Fragment{ID: 0xabcdef01, Offset: 24, Next: 17}, Zeros(16)))
	add("ip6 fragment later icmp", eth(ip6, Fragment{ID: 1, Offset: 1448, Next: 58}, Zeros(16)))
	add("ip6 ah", eth(ip6, AH{SPI: 0x1001}, UDP{Src: 1, Dst: 2}))
	add("ip6 esp", eth(ip6, ESP{SPI: 0x1002, Seq: 1}, Zeros(24)))
	add("ip6 esp that looks short", eth(ip6, ESP{SPI: 0x00000001, Seq: 1}, Zeros(24)))
	add("ip6 no next header", eth(ip6))
	add("ip6 protocol 253", eth(IPv6{Src: "fd77::2", Dst: "fd77::1", Next: 253}, Raw("xx")))
	add("ip6 truncated tcp", cut6(TCP{Src: 5, Dst: 6}, 4))
	add("ip6 truncated udp", cut6(UDP{Src: 5, Dst: 6}, 4))
	add("ip6 truncated icmp", cut6(ICMPv6{Type: 128}, 2))
	add("ip6 truncated extension", cut6(HopByHop{Extra: 4}, 4))
	add("vlan 0", eth(VLAN{ID: 0, Prio: 3}, ip4, UDP{Src: 1, Dst: 2}))
	add("snaplen 30", eth(ip4, UDP{Src: 7, Dst: 6901}, Zeros(100)))
	add("snaplen 20", eth(ip4, UDP{Src: 7, Dst: 6902}, Zeros(100)))
	add("no prefix", eth(ip4, UDP{Src: 7, Dst: 6903}))
	add("mark", eth(ip4, UDP{Src: 7, Dst: 6904}))
	for i, p := range prefixes {
		add("prefix "+p.name, eth(ip4, UDP{Src: 7, Dst: 7000 + uint16(i)}))
	}
	return k
}

// Build4 is the packet inside a tunnel.
func Build4() Raw { return Raw(Build(IPv4{}, UDP{Src: 1, Dst: 2})) }

// prefixes that rules give to UDP packets to port 7000 and on.
var prefixes = []struct{ name, text string }{
	{"quotes", `a "quoted" 'word' `},
	{"percent", `100% %s %n %d`},
	{"backslash", `C:\new\x0a`},
	{"blanks", "  two  "},
	{"fields", "a,oob.mark=7,b=1"},
	{"markup", "<a & b>"},
	{"utf-8", "größe ✓"},
	{"127 characters", strings.Repeat("0123456789", 12) + "1234567"},
	{"line feed", "a\nforged"},
	{"escape", "\x1b[2J\x07\x7f"},
	{"broken utf-8", "a\xff\xc3(b"},
}
