package ipfix

import (
	"net/netip"
	"strings"
	"testing"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/value"
)

func TestNATEvents(t *testing.T) {
	begin, end := int64(1767225600e9), int64(1767225660e9)
	nat := flow{
		src: "10.0.0.5", dst: "192.0.2.1", proto: 6, sport: 1234, dport: 80, rdst: "198.51.100.9", rdport: 4321,
		pkts: 3, octets: 180, start: begin, end: end, id: 1,
	}
	plain := nat
	plain.rdst, plain.rdport, plain.id = "", 0, 2
	six := flow{src: "fd00::5", dst: "2001:db8::1", proto: 17, sport: 1, dport: 53, rdst: "2001:db8:9::9", pkts: 1, octets: 60, start: begin, end: end, id: 3}
	created, plainCreated := nat, plain
	created.event, plainCreated.event = 1, 1
	c := listenUDP(t)
	r := start(t, &feed{asct: true}, "host", c.LocalAddr().String(), "proto", "udp", "nat_events", "true", "flush_interval", "50ms")
	r.give(created, plainCreated, nat, plain, six)
	var events, flows []decodedRecord
	s := newSession()
	for len(events)+len(flows) < 6 {
		for _, rec := range s.must(t, datagram(t, c)) {
			if rec.has(0, 230) {
				events = append(events, rec)
			} else {
				flows = append(flows, rec)
			}
		}
	}
	r.end()
	if len(events) != 3 || len(flows) != 3 {
		t.Fatalf("%d natEvent records and %d flows, want 3 and 3", len(events), len(flows))
	}
	for i, want := range []struct {
		event, at uint64
		post      string
	}{{4, uint64(begin / 1e6), "198.51.100.9"}, {5, uint64(end / 1e6), "198.51.100.9"}} {
		e := events[i]
		if e.uint(0, 230) != want.event || e.uint(0, 323) != want.at || e.addr(225) != netip.MustParseAddr(want.post) ||
			e.addr(8) != netip.MustParseAddr("10.0.0.5") || e.addr(226) != netip.MustParseAddr("192.0.2.1") ||
			e.uint(0, 227) != 4321 || e.uint(0, 7) != 1234 || e.uint(0, 228) != 80 || e.uint(0, 11) != 80 || e.uint(0, 4) != 6 {
			t.Errorf("natEvent record %d is %v", i, e.values)
		}
	}
	if e := events[2]; e.uint(0, 230) != 2 || e.addr(281) != netip.MustParseAddr("2001:db8:9::9") {
		t.Errorf("IPv6 natEvent record is %v", e.values)
	}
	if n := r.stats().Filtered.Load(); n != 2 {
		t.Errorf("%d new connections were filtered, want 2", n)
	}
}

// TestHistoricNATEvents: nfdump 1.7.1 prints 4 and 5 as UNKNOWN.
func TestHistoricNATEvents(t *testing.T) {
	begin, end := int64(1767225600e9), int64(1767225660e9)
	ended := flow{
		src: "10.0.0.5", dst: "192.0.2.1", proto: 6, sport: 1234, dport: 80, rdst: "198.51.100.9", rdport: 4321,
		pkts: 3, octets: 180, start: begin, end: end, id: 1,
	}
	created := ended
	created.event = 1
	c := listenUDP(t)
	r := start(t, &feed{asct: true}, "host", c.LocalAddr().String(), "proto", "udp", "nat_events", "true",
		"nat_events_historic", "true", "flush_interval", "50ms")
	r.give(created, ended)
	var events []uint64
	s := newSession()
	for len(events) < 2 {
		for _, rec := range s.must(t, datagram(t, c)) {
			if rec.has(0, 230) {
				events = append(events, rec.uint(0, 230))
			}
		}
	}
	r.end()
	if events[0] != 1 || events[1] != 2 {
		t.Errorf("the events are %v, want 1 and 2", events)
	}
}

func TestPacketRecords(t *testing.T) {
	f := &feed{other: func(p *engine.Binder) func(*engine.Batch, engine.Row, int) {
		ip, tcp, log, hw := p.Group(), p.Group(), p.Group(), p.Group()
		fam, src, dst := engine.Give(p, log, key.OOBFamily), engine.Give(p, ip, key.IPSaddr), engine.Give(p, ip, key.IPDaddr)
		proto, length := engine.Give(p, ip, key.IPProtocol), engine.Give(p, ip, key.IPTotLen)
		sport, dport, flags := engine.Give(p, tcp, key.TCPSport), engine.Give(p, tcp, key.TCPDport), engine.Give(p, tcp, key.TCPFlags)
		prefix, at, in := engine.Give(p, log, key.OOBPrefix), engine.Give(p, log, key.OOBTime), engine.Give(p, log, key.OOBIfIn)
		mac, macTo := engine.Give(p, hw, key.RawMACSaddr), engine.Give(p, hw, key.RawMACDaddr)
		return func(b *engine.Batch, r engine.Row, i int) {
			b.Have()[r] = log.Mask()
			fam.Of(b)[r], at.Of(b)[r], in.Of(b)[r] = engine.FamilyARP, engine.Time(1767225600123456789), 3
			text := "drop: "
			if i == 1 {
				text = "d\xc3\xa9fense \xff" + strings.Repeat("x", 300)
			}
			prefix.Of(b)[r] = engine.String(b.AddText([]byte(text)))
			if i == 2 { // ARP: no IP at all
				return
			}
			b.Have()[r] |= ip.Mask() | tcp.Mask() | hw.Mask()
			fam.Of(b)[r] = engine.FamilyIPv4
			src.Of(b)[r], dst.Of(b)[r] = engine.Addr4(0x0a000001), engine.Addr4(0xc0000201)
			proto.Of(b)[r], length.Of(b)[r] = 6, 60
			sport.Of(b)[r], dport.Of(b)[r], flags.Of(b)[r] = 40000, 22, 0x102
			mac.Of(b)[r] = engine.Raw(b.AddText([]byte{2, 0, 0, 0, 0, 7}))
			macTo.Of(b)[r] = engine.Raw(b.AddText([]byte{2, 0, 0, 0, 0, 8}))
		}
	}}
	c := listenUDP(t)
	r := start(t, f, "host", c.LocalAddr().String(), "proto", "udp", "flush_interval", "50ms", "tcp_flags_octets", "2")
	r.give(flow{id: 0}, flow{id: 1}, flow{id: 2})
	var got []decodedRecord
	s := newSession()
	for len(got) < 3 {
		got = append(got, s.must(t, datagram(t, c))...)
	}
	r.end()
	p := got[0]
	if p.addr(8) != netip.MustParseAddr("10.0.0.1") || p.uint(0, 7) != 40000 || p.uint(0, 11) != 22 || p.uint(0, 1) != 60 || p.uint(0, 6) != 0x102 ||
		p.uint(0, 152) != 1767225600123 || p.uint(0, 153) != 1767225600123 || p.has(0, 323) || p.uint(0, 10) != 3 || p.uint(0, 56) != 0x020000000007 ||
		p.uint(0, 80) != 0x020000000008 || string(p.values[engine.IE{PEN: 21373, ID: 3}]) != "drop: " {
		t.Errorf("packet record is %v", p.values)
	}
	if text := string(got[1].values[engine.IE{PEN: 21373, ID: 3}]); text != "d\xc3\xa9fense ?"+strings.Repeat("x", 245) {
		t.Errorf("prefix arrived as %q", text)
	}
	if arp := got[2]; arp.has(0, 8) || arp.has(0, 4) || arp.uint(0, 10) != 3 {
		t.Errorf("record of a packet that is not IP is %v", arp.values)
	}
}

func TestCounterRecords(t *testing.T) {
	f := &feed{other: func(p *engine.Binder) func(*engine.Batch, engine.Row, int) {
		g := p.Group()
		name, pkts, octets := engine.Give(p, g, key.SumName), engine.Give(p, g, key.SumPackets), engine.Give(p, g, key.SumOctets)
		at := engine.Give(p, g, key.OOBTime)
		return func(b *engine.Batch, r engine.Row, i int) {
			b.Have()[r] = g.Mask()
			name.Of(b)[r] = engine.String(b.AddText([]byte("http")))
			pkts.Of(b)[r], octets.Of(b)[r], at.Of(b)[r] = 1<<40, 1<<50, 1767225600e9
		}
	}}
	c := listenUDP(t)
	r := start(t, f, "host", c.LocalAddr().String(), "proto", "udp", "flush_interval", "50ms")
	r.give(flow{})
	got := newSession().must(t, datagram(t, c))
	r.end()
	if len(got) != 1 || got[0].uint(0, 2) != 1<<40 || got[0].uint(0, 1) != 1<<50 || got[0].uint(0, 323) != 1767225600000 ||
		string(got[0].values[engine.IE{PEN: 21373, ID: 1014}]) != "http" {
		t.Errorf("counter records are %v", got)
	}
}

func TestFieldsInTheOrderAsked(t *testing.T) {
	c := listenUDP(t)
	r := start(t, &feed{asct: true}, "host", c.LocalAddr().String(), "proto", "udp", "flush_interval", "50ms", "direction", "sum",
		"fields", "ct.helper,octetDeltaCount,flowStartNanoseconds,sourceIPv4Address,ct.event,protocolIdentifier")
	f := flow{src: "10.0.0.1", dst: "192.0.2.1", proto: 6, pkts: 3, octets: 100, roctets: 11, rpkts: 1, start: 1767225600500000000, helper: "ftp"}
	without := f
	without.helper = ""
	r.give(f, without)
	var got []decodedRecord
	s := newSession()
	for len(got) < 2 {
		got = append(got, s.must(t, datagram(t, c))...)
	}
	r.end()
	ie := func(id uint16) engine.IE { return engine.IE{ID: id} }
	nf := func(id uint16) engine.IE { return engine.IE{PEN: 21373, ID: id} }
	want := []engine.IE{nf(1007), ie(1), ie(156), ie(8), nf(1003), ie(4)}
	for i, rec := range got {
		if len(rec.order) != len(want)-i {
			t.Fatalf("record %d has %v, want %v", i, rec.order, want[i:])
		}
		for j := range rec.order {
			if rec.order[j] != want[i+j] {
				t.Errorf("record %d has %v, want %v", i, rec.order, want[i:])
			}
		}
		if rec.uint(0, 1) != 111 || rec.uint(21373, 1003) != 4 || rec.uint(0, 156) != (1767225600+2208988800)<<32|1<<31 {
			t.Errorf("record %d is %v", i, rec.values)
		}
	}
	if string(got[0].values[nf(1007)]) != "ftp" {
		t.Errorf("helper is %q", got[0].values[nf(1007)])
	}
}

func TestBooleans(t *testing.T) {
	c := listenUDP(t)
	r := start(t, &feed{asct: true}, "host", c.LocalAddr().String(), "proto", "udp", "flush_interval", "50ms", "fields", "ct.recovered,ct.id")
	r.give(flow{recovered: true}, flow{})
	got := newSession().must(t, datagram(t, c))
	r.end()
	if len(got) != 2 || got[0].uint(21373, 1010) != 1 || got[1].uint(21373, 1010) != 2 {
		t.Errorf("true and false arrive as %v", got)
	}
}

func TestTimes(t *testing.T) {
	c := listenUDP(t)
	r := start(t, &feed{asct: true}, "host", c.LocalAddr().String(), "proto", "udp", "flush_interval", "50ms",
		"fields", "flowStartSeconds,flowStartMilliseconds,flowStartMicroseconds,flowStartNanoseconds")
	const sec = 1767225600
	r.give(flow{start: sec*1e9 + 250_000_001, pkts: 1})
	got := newSession().must(t, datagram(t, c))[0]
	r.end()
	ntp := uint64(sec+2208988800) << 32
	// A quarter of a second is 2^30 of 2^32; the nanosecond more is 4.29 of them, rounded up for
	// those who cut; microseconds do not show it.
	for id, want := range map[uint16]uint64{150: sec, 152: sec*1000 + 250, 154: ntp | 1<<30, 156: ntp | 1<<30 + 5} {
		if v := got.uint(0, id); v != want {
			t.Errorf("element %d is %d, want %d", id, v, want)
		}
	}
}

func TestPorts(t *testing.T) {
	for _, c := range []struct {
		set  []string
		want uint16
	}{
		{nil, 4739},
		{[]string{"port", "2055"}, 2055},
		{[]string{"proto", "tls", "tls_cert", "c", "tls_key", "k", "tls_ca", "a"}, 4740},
		{[]string{"proto", "dtls", "tls_cert", "c", "tls_key", "k", "tls_ca", "a"}, 4740},
	} {
		f := &output{}
		inst := engine.NewInstance(&engine.Plugin{Name: "IPFIX", Output: func() engine.Output { return f }}, "x")
		for i := 0; i < len(c.set); i += 2 {
			opt, _ := inst.Options.Lookup(c.set[i])
			opt.Set(engine.Value{Kind: value.Word, Text: c.set[i+1]})
		}
		opt, _ := inst.Options.Lookup("host")
		opt.Set(engine.Value{Kind: value.Word, Text: "collector.example"})
		if err := inst.Validate(); err != nil {
			t.Fatal(err)
		}
		if got := f.Addresses[0].Port; got != c.want {
			t.Errorf("%q: port %d, want %d", c.set, got, c.want)
		}
	}
}
