package base

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"ulogd/engine"
	"ulogd/engine/key"
	. "ulogd/test/packettest"
)

func addr(s string) engine.Addr { return engine.AddrFrom(netip.MustParseAddr(s)) }

// The tuple that FLOW gets, for every kind of packet.
func TestTuple(t *testing.T) {
	four := key.Tuple{Src: addr("192.0.2.1"), Dst: addr("192.0.2.2"), Version: 4}
	six := key.Tuple{Src: addr("2001:db8::1"), Dst: addr("2001:db8::2"), Version: 6}
	with := func(t key.Tuple, proto uint8, sport, dport uint16) key.Tuple {
		t.Proto, t.Sport, t.Dport = proto, sport, dport
		return t
	}
	frag := func(t key.Tuple, f uint8) key.Tuple { t.Frag = f; return t }
	tos := func(t key.Tuple, v uint8) key.Tuple { t.TOS = v; return t }
	udp := UDP{Src: 7, Dst: 9}
	inner := IPv4{Src: "10.0.0.1", Dst: "10.0.0.2"}
	inside := with(key.Tuple{Src: addr("10.0.0.1"), Dst: addr("10.0.0.2"), Version: 4}, 17, 7, 9)
	frame := []Layer{Ethernet{}, inner, udp}

	for _, c := range []struct {
		name     string
		settings string
		layers   []Layer
		want     key.Tuple
		octets   int
	}{
		{"tcp", "", []Layer{IPv4{}, TCP{Src: 1, Dst: 2}}, with(four, 6, 1, 2), 40},
		{"udp", "", []Layer{IPv4{TOS: 0xb8}, udp, Zeros(100)}, tos(with(four, 17, 7, 9), 0xb8), 128},
		{"short udp", "", []Layer{IPv4{}, udp}, with(four, 17, 7, 9), 28},
		{"udp-lite", "", []Layer{IPv4{}, UDPLite{Src: 7, Dst: 9}}, with(four, 136, 7, 9), 28},
		{"sctp", "", []Layer{IPv4{}, SCTP{Src: 7, Dst: 9}}, with(four, 132, 7, 9), 48},
		{"dccp", "", []Layer{IPv4{}, DCCP{Src: 7, Dst: 9}}, with(four, 33, 7, 9), 32},
		{"icmp", "", []Layer{IPv4{}, ICMP{Type: 8, Code: 1}}, with(four, 1, key.ICMPKnown, 0x801), 28},
		{"gre", "", []Layer{IPv4{}, GRE{}, inner, udp}, with(four, 47, 0, 0), 52},
		{"esp", "", []Layer{IPv4{}, ESP{SPI: 1}, Zeros(24)}, with(four, 50, 0, 0), 52},
		{"ah", "", []Layer{IPv4{}, AH{}, udp}, with(four, 51, 0, 0), 52},
		{"options", "", []Layer{IPv4{Options: Zeros(40)}, udp}, with(four, 17, 7, 9), 68},
		{"first fragment", "", []Layer{IPv4{MF: true}, udp, Zeros(16)}, frag(with(four, 17, 7, 9), key.FragFirst), 44},
		{"later fragment", "", []Layer{IPv4{Offset: 24, Proto: 17}, Zeros(16)}, frag(with(four, 17, 0, 0), key.FragLater), 36},
		{"igmp", "", []Layer{IPv4{Proto: 2}, Zeros(8)}, with(four, 2, 0, 0), 28},

		{"tcp6", "", []Layer{IPv6{TrafficClass: 0x28}, TCP{Src: 1, Dst: 2}}, tos(with(six, 6, 1, 2), 0x28), 60},
		{"short udp6", "", []Layer{IPv6{}, udp}, with(six, 17, 7, 9), 48},
		{"icmpv6", "", []Layer{IPv6{}, ICMPv6{Type: 128}}, with(six, 58, key.ICMPKnown, 0x8000), 48},
		{"chain", "", []Layer{IPv6{}, HopByHop{}, DestinationOptions{Extra: 1}, Routing{}, AH{}, udp}, with(six, 17, 7, 9), 40 + 8 + 16 + 8 + 24 + 8},
		{"atomic fragment", "", []Layer{IPv6{}, Fragment{ID: 3}, udp}, with(six, 17, 7, 9), 56},
		{"first fragment6", "", []Layer{IPv6{}, Fragment{ID: 3, MF: true}, udp}, frag(with(six, 17, 7, 9), key.FragFirst), 56},
		{"later fragment6", "", []Layer{IPv6{}, Fragment{ID: 3, Offset: 64, Next: 17}, Zeros(8)}, frag(with(six, 17, 0, 0), key.FragLater), 56},
		{"no next header", "", []Layer{IPv6{}}, with(six, 59, 0, 0), 40},

		{"vlan", "", []Layer{VLAN{ID: 5}, IPv4{}, udp}, with(four, 17, 7, 9), 28},
		{"qinq", "", []Layer{VLAN{ID: 5, TPID: 0x88a8}, VLAN{ID: 6}, IPv6{}, udp}, with(six, 17, 7, 9), 48},
		{"mpls", "", []Layer{MPLS{Label: 1}, MPLS{Label: 2}, IPv4{}, udp}, with(four, 17, 7, 9), 28},
		{"vlan mpls", "", []Layer{VLAN{ID: 5}, MPLS{Label: 2}, IPv6{}, udp}, with(six, 17, 7, 9), 48},
		{"pppoe", "", []Layer{PPPoE{}, IPv4{}, udp}, with(four, 17, 7, 9), 28},

		{"ipip", "inner=true", []Layer{IPv4{}, inner, udp}, inside, 28},
		{"6in4", "inner=true", []Layer{IPv4{}, IPv6{}, udp}, with(six, 17, 7, 9), 48},
		{"4in6", "inner=true", []Layer{IPv6{}, inner, udp}, inside, 28},
		{"gre ip", "inner=true", []Layer{IPv4{}, GRE{Checksum: true, Key: true, Number: true}, inner, udp}, inside, 28},
		{"gre frame", "inner=true", append([]Layer{IPv4{}, GRE{}}, frame...), inside, 28},
		{"vxlan", "inner=true", append([]Layer{IPv4{}, UDP{Dst: 4789}, VXLAN{}}, frame...), inside, 28},
		{"geneve", "inner=true", append([]Layer{IPv6{}, UDP{Dst: 6081}, Geneve{Options: Zeros(8)}}, frame...), inside, 28},
		{"tunnel in tunnel", "inner=true", []Layer{VLAN{ID: 9}, IPv4{}, GRE{}, IPv6{}, inner, udp}, inside, 28},
		{"not a tunnel", "inner=true", []Layer{IPv4{}, UDP{Dst: 4789}, Zeros(40)}, with(four, 17, 0, 4789), 68},
		{"fragment of a tunnel", "inner=true", []Layer{IPv4{MF: true}, inner, udp}, frag(with(four, 4, 0, 0), key.FragFirst), 48},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := packet{data: Build(c.layers...), family: engine.FamilyIPv4, protocol: engine.EtherIPv4}
			switch l := c.layers[0].(type) {
			case IPv6:
				p.family, p.protocol = engine.FamilyIPv6, engine.EtherIPv6
			case VLAN:
				p.family, p.protocol = engine.FamilyNetdev, or(l.TPID, TypeVLAN)
			case MPLS:
				p.family, p.protocol = engine.FamilyNetdev, TypeMPLS
			case PPPoE:
				p.family, p.protocol = engine.FamilyNetdev, TypePPPoE
			}
			var settings []string
			if c.settings != "" {
				settings = []string{c.settings}
			}
			row, tuple := decode(t, p, settings...)
			if row["flow.tuple"] == "" || tuple != c.want || row["flow.octets"] != fmt.Sprint(c.octets) {
				t.Errorf("got %+v, %s octets\nwant %+v, %d", tuple, row["flow.octets"], c.want, c.octets)
			}
			version, family := map[string]uint8{"2": 4, "10": 6}[row["oob.family"]], row["oob.protocol"]
			if version != c.want.Version || (family == "2048") != (version == 4) {
				t.Errorf("oob.family is %s and oob.protocol %s", row["oob.family"], family)
			}
		})
	}
}

func or(v, byDefault uint16) uint16 {
	if v == 0 {
		return byDefault
	}
	return v
}

func TestVLANIdentifierIsTheOutermost(t *testing.T) {
	row, _ := decode(t, packet{
		data:   Build(VLAN{ID: 5, Type: TypeVLAN}, VLAN{ID: 6}, IPv4{}, UDP{}),
		family: engine.FamilyNetdev, protocol: TypeQinQ,
	})
	if row["oob.vlan.id"] != "5" {
		t.Errorf("oob.vlan.id is %q", row["oob.vlan.id"])
	}
}

// What segmentation offload leaves at 0 comes from the length on the wire.
func TestLengthOfZeroIsTheWires(t *testing.T) {
	four, six := Build(IPv4{}, TCP{}), Build(IPv6{}, TCP{})
	four[2], four[3], six[4], six[5] = 0, 0, 0, 0
	for _, p := range []packet{
		{data: four, family: engine.FamilyIPv4, wire: 64000},
		{data: six, family: engine.FamilyIPv6, wire: 64000},
	} {
		if row, _ := decode(t, p); row["flow.octets"] != "64000" {
			t.Errorf("version %d: %s octets", p.data[0]>>4, row["flow.octets"])
		}
	}
}

// Ethernet pads short frames: what lies behind the IP packet is not its transport header.
func TestPaddingIsNotDecoded(t *testing.T) {
	p := Build(IPv4{Proto: 17})
	row, tuple := decode(t, packet{data: append(p, "padding that looks like ports"...), family: engine.FamilyIPv4})
	if tuple.Sport != 0 || row["udp.sport"] != "" || row["flow.octets"] != "20" {
		t.Errorf("%+v %v", tuple, row)
	}
}

// Packets that cannot be read give no tuple; what of their headers is there is shown.
func TestUnreadable(t *testing.T) {
	good := Build(IPv4{}, UDP{})
	change := func(i int, v byte) []byte { b := append([]byte(nil), good...); b[i] = v; return b }
	for name, p := range map[string]packet{
		"empty":                  {family: engine.FamilyIPv4},
		"19 octets":              {data: good[:19], family: engine.FamilyIPv4},
		"wrong version":          {data: change(0, 0x65), family: engine.FamilyIPv4},
		"header length 4":        {data: change(0, 0x44), family: engine.FamilyIPv4},
		"total below header":     {data: change(3, 19), family: engine.FamilyIPv4},
		"39 octets of version 6": {data: Build(IPv6{})[:39], family: engine.FamilyIPv6},
		"arp":                    {data: Build(ARP{}), family: engine.FamilyARP},
		"unknown EtherType":      {data: good, family: engine.FamilyNetdev, protocol: 0x88cc},
		"tags without end":       {data: make([]byte, 1000), family: engine.FamilyNetdev, protocol: TypeVLAN},
		"labels without end":     {data: make([]byte, 1001), family: engine.FamilyNetdev, protocol: TypeMPLS},
	} {
		if row, _ := decode(t, p); row["flow.tuple"] != "" {
			t.Errorf("%s: has a tuple: %v", name, row)
		}
	}
}

func TestARP(t *testing.T) {
	m := Build(ARP{Op: 2, Sender: "10.0.0.1", Target: "10.0.0.2", SenderMAC: MAC{2, 0, 0, 0, 0, 1}})
	for name, p := range map[string]packet{
		"own family":               {data: m, family: engine.FamilyARP, protocol: TypeARP},
		"with its Ethernet header": {data: Build(Ethernet{}, ARP{Op: 2, Sender: "10.0.0.1", Target: "10.0.0.2", SenderMAC: MAC{2, 0, 0, 0, 0, 1}}), family: engine.FamilyARP},
		"on a bridge":              {data: m, family: engine.FamilyBridge, protocol: TypeARP},
		"tagged":                   {data: Build(VLAN{ID: 3}, Raw(m)), family: engine.FamilyNetdev, protocol: TypeVLAN},
	} {
		if name == "tagged" {
			p.data[2], p.data[3] = 8, 6
		}
		row, _ := decode(t, p)
		want := map[string]string{"arp.operation": "2", "arp.saddr": "10.0.0.1", "arp.daddr": "10.0.0.2", "arp.shwaddr": "020000000001", "arp.hwtype": "1", "arp.protocoltype": "2048"}
		for k, v := range want {
			if row[k] != v {
				t.Errorf("%s: %s is %q", name, k, row[k])
			}
		}
	}
}

// 8,000 extension headers are followed to their end.
func TestLongChain(t *testing.T) {
	layers := []Layer{IPv6{}}
	for range 8000 {
		layers = append(layers, DestinationOptions{})
	}
	_, tuple := decode(t, packet{data: Build(append(layers, UDP{Src: 7, Dst: 9})...), family: engine.FamilyIPv6})
	if tuple.Proto != 17 || tuple.Dport != 9 {
		t.Errorf("%+v", tuple)
	}
}

// FuzzBase takes any octets as any family. Nothing may crash, and the short way must give what the
// general one gives.
func FuzzBase(f *testing.F) {
	for _, p := range sample(f) {
		f.Add(p.data, p.family, p.protocol, false)
		f.Add(p.data, p.family, p.protocol, true)
	}
	f.Add(Build(VLAN{ID: 1}, MPLS{}, IPv4{}, GRE{}, IPv6{}, HopByHop{}, UDP{Dst: 4789}), uint8(5), uint16(TypeVLAN), true)
	for _, p := range tunnelled() {
		f.Add(p.Data[14:], uint8(5), be.Uint16(p.Data[12:]), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, family uint8, protocol uint16, inner bool) {
		in := func() *feed { return &feed{packets: []packet{{data: data, family: family, protocol: protocol}}} }
		got, general := &record{}, &record{}
		run(t, in(), got, fmt.Sprint("inner=", inner))
		// Without the short way: tunnels are looked into, and this packet is none.
		run(t, in(), general, "inner=true")
		run(t, in(), &record{}, "compat=ulogd2")
		plain := family == engine.FamilyIPv4 || family == engine.FamilyIPv6
		if inner || !plain || isTunnel(general.tuples[0]) || general.tuples[0] != got.tuples[0] && isTunnel(got.tuples[0]) {
			return
		}
		if !maps.Equal(got.rows[0], general.rows[0]) || got.rows[0]["flow.tuple"] != "" && got.tuples[0] != general.tuples[0] {
			t.Errorf("short way: %v %+v\ngeneral way: %v %+v", got.rows[0], got.tuples[0], general.rows[0], general.tuples[0])
		}
	})
}

// isTunnel reports whether inner = true looks into a packet.
func isTunnel(t key.Tuple) bool {
	switch t.Proto {
	case 4, 41, 47, 51, 97, 115, 137, 143:
		return true
	case 17:
		for _, k := range openers {
			if slices.Contains(k.ports, t.Dport) || slices.Contains(k.ports, t.Sport) {
				return true
			}
		}
	}
	return false
}

// mixed is a batch of ordinary traffic.
func mixed() (packets []packet) {
	r := rand.New(rand.NewPCG(1, 2))
	for range engine.BatchSize {
		sport := uint16(r.Uint32())
		switch n := r.IntN(100); {
		case n < 62:
			packets = append(packets, packet{data: Build(IPv4{}, TCP{Src: sport, Dst: 443}, Zeros(40)), family: 2, protocol: 0x800})
		case n < 85:
			packets = append(packets, packet{data: Build(IPv4{}, UDP{Src: sport, Dst: 53}, Zeros(40)), family: 2, protocol: 0x800})
		case n < 97:
			packets = append(packets, packet{data: Build(IPv6{}, TCP{Src: sport, Dst: 443}, Zeros(40)), family: 10, protocol: 0x86dd})
		default:
			packets = append(packets, packet{data: Build(IPv4{}, ICMP{Type: 8}, Zeros(40)), family: 2, protocol: 0x800})
		}
	}
	return packets
}

// sink reads what FLOW reads, or every key.
type sink struct {
	all bool
	sum uint64
	t   engine.Col[key.Tuple]
	o   engine.Col[uint32]
	f   engine.Col[uint16]
}

func (s *sink) Options(*engine.Options) {}

func (s *sink) Bind(p *engine.Binder) engine.Stage {
	s.t, s.o, s.f = engine.Need(p, key.FlowTuple), engine.Need(p, key.FlowOctets), engine.Need(p, key.TCPFlags)
	p.All(func(engine.Field) bool { return s.all })
	return s
}

func (s *sink) Consume(b *engine.Batch) { s.sum += b.Have()[0] }

// Packets and nanoseconds per packet, for what FLOW takes and for every key.
func BenchmarkBase(b *testing.B) {
	for name, all := range map[string]bool{"flow": false, "all keys": true} {
		b.Run(name, func(b *testing.B) {
			in := &feed{packets: mixed(), rounds: b.N/engine.BatchSize + 1}
			b.ReportAllocs()
			runInto(b, in, &sink{all: all})
		})
	}
}

func TestNoAllocations(t *testing.T) {
	allocs := func(rounds int) float64 {
		return testing.AllocsPerRun(1, func() {
			runInto(t, &feed{packets: mixed(), rounds: rounds}, &sink{all: true})
		})
	}
	few, many := allocs(10), allocs(2010)
	if many > few+200 { // a timer or two of the engine's, nothing for each of the 2000 batches
		t.Errorf("10 batches: %v allocations, 2010 batches: %v", few, many)
	}
}
