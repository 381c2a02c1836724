package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	. "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

const second = int64(time.Second)

// t0 is the time of the first packet in these tests.
const t0 = 1714564800 * second

// at makes a packet some seconds after t0.
func at(seconds float64, layers ...Layer) packet {
	return packet{time: t0 + int64(seconds*float64(second)), data: Build(layers...)}
}

func udp(seconds float64, sport, dport uint16, payload int) packet {
	return at(seconds, IPv4{}, UDP{Src: sport, Dst: dport}, Zeros(payload))
}

func tcp(seconds float64, flags uint8) packet {
	return at(seconds, IPv4{}, TCP{Src: 1000, Dst: 80, Flags: flags})
}

// answer is tcp in the other direction.
func answer(seconds float64, flags uint8) packet {
	return at(seconds, IPv4{Src: "192.0.2.2", Dst: "192.0.2.1"}, TCP{Src: 80, Dst: 1000, Flags: flags})
}

func TestEndReasons(t *testing.T) {
	const flow = "192.0.2.1 1000 192.0.2.2 80 6 "
	for _, c := range []struct {
		name     string
		settings string
		packets  []packet
		want     []string
	}{
		{"end of input", "", []packet{tcp(0, SYN), tcp(1, ACK)}, []string{flow + "2 80 4"}},
		{"idle", "", []packet{tcp(0, ACK), tcp(15, ACK), tcp(30.1, ACK)}, []string{flow + "2 80 1", flow + "1 40 4"}},
		{"idle before another flow's packet", "", []packet{tcp(0, ACK), udp(60, 1, 2, 0)}, []string{flow + "1 40 1", "192.0.2.1 1 192.0.2.2 2 17 1 28 4"}},
		{"active", "active_timeout=20", []packet{tcp(0, ACK), tcp(10, ACK), tcp(20, ACK), tcp(21, ACK)}, []string{flow + "3 120 2", flow + "1 40 4"}},
		{"active while quiet", "active_timeout=20,inactive_timeout=100", []packet{tcp(0, ACK), tcp(10, ACK), udp(30, 1, 2, 0)}, []string{flow + "2 80 2", "192.0.2.1 1 192.0.2.2 2 17 1 28 4"}},
		{"fin lingers", "", []packet{tcp(0, SYN), tcp(1, FIN|ACK), tcp(1.5, ACK), tcp(9, ACK)}, []string{flow + "3 120 3", flow + "1 40 4"}},
		{"fin at once", "tcp_linger=0", []packet{tcp(0, SYN), tcp(1, FIN|ACK), tcp(1.5, ACK)}, []string{flow + "2 80 3", flow + "1 40 4"}},
		{"rst alone", "tcp_linger=0", []packet{tcp(0, RST)}, []string{flow + "1 40 3"}},
		{"syn while lingering", "", []packet{tcp(0, FIN|ACK), tcp(0.5, SYN)}, []string{flow + "1 40 3", flow + "1 40 4"}},
		{"syn ack while lingering", "", []packet{tcp(0, FIN|ACK), tcp(0.5, SYN|ACK)}, []string{flow + "2 80 4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{0, 1} {
				var settings []string
				if c.settings != "" {
					settings = strings.Split(c.settings, ",")
				}
				out, _ := run(t, &feed{packets: c.packets, batch: size}, settings...)
				want(t, out.lines(), c.want...)
			}
		})
	}
}

func TestRecord(t *testing.T) {
	p := func(sec float64, flags uint8, tos uint8) packet {
		q := at(sec, IPv4{TOS: tos}, TCP{Src: 1000, Dst: 80, Flags: flags}, Zeros(10))
		q.ifindex, q.vlan = 7, 12
		return q
	}
	out, _ := run(t, &feed{packets: []packet{p(0, SYN, 8), p(0.25, ACK, 8), p(2.000001, FIN|PSH|ACK, 8)}})
	want(t, out.lines("flow.start.sec", "flow.start.usec", "flow.end.sec", "flow.end.usec", "orig.tcp.flags", "orig.ip.tos", "oob.ifindex_in", "oob.vlan.id", "oob.family", "oob.protocol", "flow.epoch.sec", "orig.raw.pktlen", "icmp.type"),
		"1714564800 0 1714564802 1 27 8 7 12 2 2048 1714564800 150 -")

	out, _ = run(t, &feed{packets: []packet{at(0, IPv4{}, ICMP{Type: 3, Code: 4}), at(1, IPv6{}, ICMPv6{Type: 128, Code: 0})}})
	want(t, out.lines("orig.ip.saddr", "icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code", "orig.l4.sport", "oob.family", "orig.tcp.flags"),
		"192.0.2.1 3 4 - - - 2 -", "2001:db8::1 - - 128 0 - 10 -")
}

func TestKeyFields(t *testing.T) {
	p := func(tos uint8, ifindex uint32, vlan uint16, mac string, mark uint32) packet {
		q := at(0, IPv4{TOS: tos}, UDP{Src: 1, Dst: 2})
		q.ifindex, q.vlan, q.mac, q.mark = ifindex, vlan, mac, mark
		return q
	}
	const mac1, mac2 = "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00", "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x03\x08\x00"
	packets := []packet{
		p(0, 1, 1, mac1, 1), p(4, 1, 1, mac1, 1), p(0, 2, 1, mac1, 1),
		p(0, 1, 2, mac1, 1), p(0, 1, 1, mac2, 1), p(0, 1, 1, mac1, 2),
	}
	for setting, flows := range map[string]int{
		"key=tos": 2, "key=ifindex": 2, "key=vlan": 2, "key=mac": 2, "key=mark": 2, "key=icmp": 1,
		"max_flows=1000": 3, "key=": 1, // an empty list: addresses, ports and protocol alone
		"key=tos,ifindex,vlan,mac,mark": 6, "input_ifindex=9": 2,
	} {
		out, _ := run(t, &feed{packets: packets}, setting)
		if len(out.records) != flows {
			t.Errorf("%s: %d flows, want %d: %q", setting, len(out.records), flows, out.lines())
		}
	}
	out, _ := run(t, &feed{packets: packets[:1]}, "input_ifindex=9", "key=mark")
	want(t, out.lines("oob.ifindex_in", "oob.mark", "orig.mac.saddr", "orig.mac.daddr"), "9 1 02:00:00:00:00:02 02:00:00:00:00:01")
	echo := []packet{at(0, IPv4{}, ICMP{Type: 8}), at(0, IPv4{}, ICMP{Type: 13})}
	for setting, flows := range map[string]int{"key=tos": 1, "key=icmp": 2, "key=": 1} {
		if out, _ := run(t, &feed{packets: echo}, setting); len(out.records) != flows {
			t.Errorf("%s: %d flows of ICMP", setting, len(out.records))
		}
	}
}

func TestFragments(t *testing.T) {
	datagram := func(sec float64, id uint16) []packet {
		return []packet{
			at(sec, IPv4{ID: id, MF: true}, UDP{Src: 5, Dst: 6, Length: 48}, Zeros(16)),
			at(sec, IPv4{ID: id, MF: true, Offset: 24, Proto: 17}, Zeros(16)),
			at(sec, IPv4{ID: id, Offset: 40, Proto: 17}, Zeros(8)),
		}
	}
	six := []packet{
		at(1, IPv6{}, Fragment{ID: 9, MF: true}, DestinationOptions{}, UDP{Src: 5, Dst: 6, Length: 32}),
		at(1, IPv6{}, Fragment{ID: 9, Offset: 16, Next: 60}, Zeros(24)),
	}
	packets := append(datagram(0, 1), six...)
	out, _ := run(t, &feed{packets: packets})
	want(t, out.lines(), "192.0.2.1 5 192.0.2.2 6 17 3 108 4", "2001:db8::1 5 2001:db8::2 6 17 2 136 4")

	out, _ = run(t, &feed{packets: packets}, "fragments=model")
	want(t, out.lines(), "192.0.2.1 5 192.0.2.2 6 17 1 44 4", "192.0.2.1 0 192.0.2.2 0 17 2 64 4",
		"2001:db8::1 5 2001:db8::2 6 17 1 64 4", "2001:db8::1 - 2001:db8::2 - 60 1 72 4")

	// The first fragment is missing, or long past, or another datagram's.
	for name, packets := range map[string][]packet{
		"missing": datagram(0, 1)[1:],
		"past":    append(datagram(0, 1)[:1], datagram(31, 1)[1:]...),
		"another": append(datagram(0, 1)[:1], datagram(0, 2)[1:]...),
	} {
		out, st := run(t, &feed{packets: packets})
		if got := out.records[len(out.records)-1].show(); got != "192.0.2.1 0 192.0.2.2 0 17 2 64 4" && len(packets) == 2 || reading(st, "fragments_unknown") != 2 {
			t.Errorf("%s: %q, %d fragments unknown", name, out.lines(), reading(st, "fragments_unknown"))
		}
	}
}

func TestBiflow(t *testing.T) {
	names := []string{
		"orig.ip.saddr", "orig.l4.sport", "orig.raw.pktcount", "orig.raw.pktlen", "orig.tcp.flags",
		"reply.ip.saddr", "reply.l4.sport", "reply.raw.pktcount", "reply.raw.pktlen", "reply.tcp.flags", "flow.end.reason",
	}
	// The closing takes both FINs; their ACKs still count.
	session := []packet{tcp(0, SYN), answer(0.1, SYN|ACK), tcp(0.2, ACK), tcp(1, FIN|ACK), answer(4, PSH|ACK), answer(5, FIN|ACK), tcp(5.1, ACK), udp(60, 1, 2, 0)}
	out, _ := run(t, &feed{packets: session}, "biflow=true", "key=tos")
	want(t, out.lines(names...), "192.0.2.1 1000 4 160 19 192.0.2.2 80 3 120 27 3", "192.0.2.1 1 1 28 - 192.0.2.2 2 0 0 - 4")

	// The initiator is who is seen first, whatever its address.
	out, _ = run(t, &feed{packets: []packet{answer(0, SYN), tcp(0.1, RST), udp(9, 1, 2, 0)}}, "biflow=true")
	want(t, out.lines(names...), "192.0.2.2 80 1 40 2 192.0.2.1 1000 1 40 4 3", "192.0.2.1 1 1 28 - 192.0.2.2 2 0 0 - 4")

	// A question and its answer are one flow.
	out, _ = run(t, &feed{packets: []packet{
		at(0, IPv4{}, ICMP{Type: 8}), at(0.5, IPv4{Src: "192.0.2.2", Dst: "192.0.2.1"}, ICMP{Type: 0}),
		at(0, IPv6{Src: "2001:db8::2", Dst: "2001:db8::1"}, ICMPv6{Type: 128}), at(0.5, IPv6{}, ICMPv6{Type: 129}),
	}}, "biflow=true")
	want(t, out.lines("orig.ip.saddr", "orig.raw.pktcount", "reply.raw.pktcount", "icmp.type", "icmpv6.type", "reply.flow.start.usec"),
		"192.0.2.1 1 1 8 - 500000", "2001:db8::2 1 1 - 128 500000")
}

// A full cache loses no packet: the stalest flows nearby are reported early.
func TestFullCachePushesOut(t *testing.T) {
	var packets []packet
	for i := range 3000 {
		packets = append(packets, at(float64(i)/1000, IPv4{Src: fmt.Sprintf("10.0.%d.%d", i>>8, i&255)}, UDP{Src: 1, Dst: 2}))
	}
	out, st := run(t, &feed{packets: packets}, "max_flows=160")
	if len(out.records) != 3000 || reading(st, "ended_pushed_out") != 3000-160 || reading(st, "ended_forced") != 160 {
		t.Errorf("%d records; %+v", len(out.records), st)
	}
}

func TestKeepIdleBelow(t *testing.T) {
	var packets []packet
	for i := range 5 {
		packets = append(packets, udp(float64(i), 5, 5, 0))
	}
	packets = append(packets, udp(0, 1, 1, 0), udp(100, 3, 3, 0), udp(200, 5, 5, 0), udp(200, 1, 1, 0))
	out, _ := run(t, &feed{packets: packets, batch: 1}, "keep_idle_below=50")
	want(t, out.lines("orig.l4.sport", "orig.raw.pktcount", "flow.end.reason"), "1 1 1", "1 1 4", "3 1 1", "5 6 4")
}

func TestPacketsWithoutFlow(t *testing.T) {
	arp, short := packet{time: t0, data: make([]byte, 30)}, packet{time: t0, data: []byte{0x45, 0, 0}}
	_, st := run(t, &feed{packets: []packet{arp, short, udp(0, 1, 2, 0)}})
	if reading(st, "unreadable") != 2 || st.Dropped != 2 || st.Absorbed != 1 {
		t.Errorf("%+v", st)
	}
}

// While the input is live, flows end by the clock although no packet comes.
func TestLiveFlowsEndByTheClock(t *testing.T) {
	in := &feed{live: true, packets: []packet{udp(0, 1, 1, 0), udp(0, 2, 2, 0)}, batch: 1}
	in.pause = func(n int) {
		if n == 1 {
			time.Sleep(2 * time.Second)
		}
	}
	out, _ := run(t, in, "inactive_timeout=500ms")
	want(t, out.lines("orig.l4.sport", "flow.end.reason"), "1 1", "2 4")
}

func TestSettingsAreChecked(t *testing.T) {
	plugin, _ := engine.Default.Lookup(engine.FilterKind, "FLOW")
	for _, s := range []string{"max_flows=3", "workers=0", "inactive_timeout=0", "active_timeout=0", "keep_idle_below=101", "key=tos,colour"} {
		f := engine.NewInstance(plugin, "f")
		stacktest.Set(t, f, s)
		name, _, _ := strings.Cut(s, "=")
		if err := f.Validate(); err == nil || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s: %v", s, err)
		}
	}
}
