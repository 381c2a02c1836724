package flow

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	. "ulogd/test/packettest"

	keys "ulogd/engine/key"
)

// model is FLOW as a map would do it: slow, without limits, and of its own making down to the
// headers.
type model struct {
	inactive, active, linger int64
	biflow, track            bool

	clock     int64 // goes on when time is set back
	back      int64 // by so much in all
	lates     []modelLate
	n         int
	flows     map[modelKey]*modelFlow
	fragments map[modelDatagram]modelFirst
	held      []modelHeld
	done      []string
	unread    int
	unknown   int // later fragments without a first
}

// modelLate is a packet more than a minute behind the clock.
type modelLate struct {
	n    int
	time int64
}

// modelHeld is a later fragment that waits for the first.
type modelHeld struct {
	modelPacket
	datagram modelDatagram
	time     int64
	back     int64
	until    int64
}

type modelKey struct {
	src, dst     netip.Addr
	sport, dport uint16
	proto, tos   uint8
	typed        bool // ICMP whose type is known
}

type modelDatagram struct {
	src, dst netip.Addr
	proto    uint8
	id       uint32
}

// modelFirst is a first fragment.
type modelFirst struct {
	modelKey
	time int64
}

type modelSide struct {
	packets, octets int64
	flags           uint16
	first, last     int64
	fin             bool
}

type modelFlow struct {
	key        modelKey // of the first packet
	orig       modelSide
	reply      modelSide
	due, leave int64
	back       int64 // how much time had been set back at its last packet
	ended      bool
}

// modelPacket is what the headers say.
type modelPacket struct {
	modelKey
	octets      int64
	flags       uint16
	id          uint32
	first, late bool // which fragment
}

// read decodes raw IP.
func read(p []byte, wire int64) (m modelPacket, ok bool) {
	be := binary.BigEndian
	var rest []byte
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		head, total := int(p[0]&15)*4, int(be.Uint16(p[2:]))
		if head < 20 || total > 0 && total < head {
			return m, false
		}
		m.octets = int64(total)
		if total == 0 {
			m.octets = wire
		} else if total < len(p) {
			p = p[:total]
		}
		m.src, m.dst = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
		m.proto, m.tos = p[9], p[1]
		if head > len(p) {
			return m, true
		}
		frag := be.Uint16(p[6:])
		m.late, m.first, m.id = frag&0x1fff != 0, frag&0x3fff == 0x2000, uint32(be.Uint16(p[4:]))
		rest = p[head:]
	case len(p) >= 40 && p[0]>>4 == 6:
		m.octets = int64(be.Uint16(p[4:])) + 40
		if m.octets == 40 && p[6] != 59 {
			m.octets = wire
		} else if m.octets < int64(len(p)) {
			p = p[:m.octets]
		}
		m.src, m.dst = netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
		m.tos = p[0]<<4 | p[1]>>4
		m.proto, rest = p[6], p[40:]
		for extension := map[uint8]bool{0: true, 43: true, 44: true, 51: true, 60: true}; extension[m.proto] && !m.late; {
			if len(rest) < 8 {
				return m, true
			}
			size := 8 + 8*int(rest[1])
			if m.proto == 51 {
				size = 8 + 4*int(rest[1])
			}
			if m.proto == 44 {
				size = 8
				offset := be.Uint16(rest[2:])
				if offset&0xfff9 != 0 {
					m.late, m.first, m.id = offset>>3 != 0, offset>>3 == 0, be.Uint32(rest[4:])
				}
			}
			if size > len(rest) {
				return m, true
			}
			m.proto, rest = rest[0], rest[size:]
		}
	default:
		return m, false
	}
	if m.late {
		return m, true
	}
	switch v4 := m.src.Is4(); {
	case slices.Contains([]uint8{6, 17, 33, 132, 136}, m.proto):
		if len(rest) >= 4 {
			m.sport, m.dport = be.Uint16(rest), be.Uint16(rest[2:])
		}
		if m.proto == 6 && len(rest) >= 14 {
			m.flags = be.Uint16(rest[12:]) & 0xfff
		}
	case v4 && m.proto == 1 || !v4 && m.proto == 58:
		if len(rest) >= 2 {
			m.dport, m.typed = be.Uint16(rest), true
		}
	}
	return m, true
}

// timeOf keeps the clock, and returns the time at which a packet counts.
func (m *model) timeOf(t int64) int64 {
	m.n++
	if m.n == 1 {
		m.clock = t
	}
	now := m.clock - m.back
	switch {
	case t > now+60*second:
		panic("the model does not look ahead")
	case t >= now-60*second:
		m.clock = max(m.clock, t+m.back)
		return t
	}
	if n := len(m.lates); n > 0 && (m.n-m.lates[0].n >= 5 || max(t-m.lates[0].time, m.lates[0].time-t) > 60*second) {
		m.lates = nil
	}
	if m.lates = append(m.lates, modelLate{m.n, t}); len(m.lates) == 3 { // the median of five
		m.back += now - t
		m.lates = nil
		return t
	}
	return now
}

func (m *model) packet(p packet) {
	at := m.timeOf(p.time)
	h, ok := read(p.data, max(int64(p.wire), int64(len(p.data))))
	if !ok {
		m.unread++
		return
	}
	for len(m.held) > 0 && m.clock > m.held[0].until {
		m.unknown++
		f := m.held[0]
		m.held = m.held[1:]
		m.count(f.modelPacket, f.time, f.until, f.back)
	}
	if !m.track || !h.first && !h.late {
		m.count(h, at, m.clock, m.back)
		return
	}
	d := modelDatagram{h.src, h.dst, h.proto, h.id}
	if !h.src.Is4() {
		d.proto = 0
	}
	if h.late {
		if k, ok := m.fragments[d]; ok && m.clock-k.time <= 30*second {
			h.sport, h.dport, h.proto, h.typed = k.sport, k.dport, k.proto, k.typed
			m.count(h, at, m.clock, m.back)
			return
		}
		m.held = append(m.held, modelHeld{h, d, at, m.back, m.clock + 2*second})
		return
	}
	m.fragments[d] = modelFirst{h.modelKey, m.clock}
	m.count(h, at, m.clock, m.back)
	m.held = slices.DeleteFunc(m.held, func(f modelHeld) bool {
		if f.datagram == d {
			f.sport, f.dport, f.proto, f.typed = h.sport, h.dport, h.proto, h.typed
			m.count(f.modelPacket, f.time, m.clock, f.back)
		}
		return f.datagram == d
	})
}

// count counts a packet in its flow, at a time and by a clock.
func (m *model) count(h modelPacket, at, clock, back int64) {
	key := h.modelKey
	if m.biflow {
		icmp := key.proto == 1 && key.src.Is4() || key.proto == 58 && !key.src.Is4()
		if answers := map[uint8]uint8{0: 8, 14: 13, 16: 15, 18: 17, 129: 128}; icmp {
			if question, ok := answers[uint8(key.dport>>8)]; ok {
				key.dport = uint16(question)<<8 | key.dport&0xff
				if question == 8 {
					key.dport = 8 << 8
				}
			}
		}
		h.modelKey = key
		key.tos = 0
		if c := key.src.Compare(key.dst); c > 0 || c == 0 && key.sport > key.dport && !icmp {
			key.src, key.dst = key.dst, key.src
			if !icmp {
				key.sport, key.dport = key.dport, key.sport
			}
		}
	}
	f := m.flows[key]
	if f != nil && clock > f.due {
		m.end(key, f.why())
		f = nil
	}
	if f != nil && f.ended && h.flags&0x12 == 2 {
		m.end(key, keys.EndDetected)
		f = nil
	}
	if f == nil {
		f = &modelFlow{key: h.modelKey, leave: clock + m.active, back: back}
		m.flows[key] = f
	}
	for _, side := range []*modelSide{&f.orig, &f.reply} { // its times move along with the clock
		side.first -= back - f.back
		side.last -= back - f.back
	}
	f.back = back
	side := &f.orig
	if m.biflow && (h.src != f.key.src || h.sport != f.key.sport) {
		side = &f.reply
	}
	now := false
	if h.flags&5 != 0 && !f.ended {
		side.fin = side.fin || h.flags&4 == 0
		if !m.biflow || h.flags&4 != 0 || f.orig.fin && f.reply.fin {
			f.ended, f.leave, now = true, min(f.leave, clock+m.linger), m.linger == 0
		}
	}
	if side.packets == 0 {
		side.first, side.last = at, at
	}
	side.packets++
	side.octets += h.octets
	side.flags |= h.flags
	side.first, side.last = min(side.first, at), max(side.last, at)
	f.due = min(clock+m.inactive, f.leave)
	if now {
		m.end(key, keys.EndDetected)
	}
}

func (f *modelFlow) why() int {
	switch {
	case f.due < f.leave:
		return keys.EndIdle
	case f.ended:
		return keys.EndDetected
	}
	return keys.EndActive
}

func (m *model) end(k modelKey, reason int) {
	f := m.flows[k]
	delete(m.flows, k)
	s := fmt.Sprintf("%s %s %d tos %d: %d %d %#x %d %d, reason %d", f.key.src, f.key.dst, f.key.proto, f.key.tos,
		f.orig.packets, f.orig.octets, f.orig.flags, f.orig.first, f.orig.last, reason)
	if slices.Contains([]uint8{6, 17, 33, 132, 136}, f.key.proto) {
		s += fmt.Sprintf(", ports %d %d", f.key.sport, f.key.dport)
	}
	if f.key.typed {
		s += fmt.Sprintf(", icmp %d %d", f.key.dport>>8, f.key.dport&0xff)
	}
	if m.biflow {
		s += fmt.Sprintf(", reply %d %d %#x", f.reply.packets, f.reply.octets, f.reply.flags)
	}
	m.done = append(m.done, s)
}

// all ends what is left and returns every flow.
func (m *model) all() []string {
	for _, f := range m.held {
		m.unknown++
		m.count(f.modelPacket, f.time, min(f.until, m.clock), f.back)
	}
	for k := range m.flows {
		if f := m.flows[k]; m.clock > f.due {
			m.end(k, f.why())
		} else {
			m.end(k, keys.EndForced)
		}
	}
	slices.Sort(m.done)
	return m.done
}

// described writes FLOW's records as the model writes its own.
func described(out *keeper, biflow bool) []string {
	var all []string
	for i, r := range out.records {
		number := func(name string) (n uint64) { fmt.Sscan(r[name], &n); return n }
		src, dst := netip.MustParseAddr(r["orig.ip.saddr"]), netip.MustParseAddr(r["orig.ip.daddr"]) // one address has several forms
		s := fmt.Sprintf("%s %s %s tos %s: %s %s %#x %d %d, reason %s", src, dst, r["orig.ip.protocol"], r["orig.ip.tos"],
			r["orig.raw.pktcount"], r["orig.raw.pktlen"], number("orig.tcp.flags"), out.nanos[i].start, out.nanos[i].end, r["flow.end.reason"])
		if v, ok := r["orig.l4.sport"]; ok {
			s += fmt.Sprintf(", ports %s %s", v, r["orig.l4.dport"])
		}
		for _, name := range []string{"icmp", "icmpv6"} {
			if v, ok := r[name+".type"]; ok {
				s += fmt.Sprintf(", icmp %s %s", v, r[name+".code"])
			}
		}
		if biflow {
			s += fmt.Sprintf(", reply %s %s %#x", r["reply.raw.pktcount"], r["reply.raw.pktlen"], number("reply.tcp.flags"))
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// agree runs packets through BASE and FLOW and through the model.
func agree(t *testing.T, packets []packet, batch int, biflow bool, linger float64, workers int, fragments string) {
	t.Helper()
	m := &model{
		inactive: 15 * second, active: 40 * second, linger: int64(linger * float64(second)), biflow: biflow, track: fragments == "track",
		flows: map[modelKey]*modelFlow{}, fragments: map[modelDatagram]modelFirst{},
	}
	for _, p := range packets {
		m.packet(p)
	}
	out, st := run(t, &feed{packets: packets, batch: batch}, "active_timeout=40", fmt.Sprint("biflow=", biflow), fmt.Sprint("tcp_linger=", linger),
		fmt.Sprint("workers=", workers), "fragments="+fragments, "max_flows=20000")
	want, got := m.all(), described(out, biflow)
	if reading(st, "ended_pushed_out") > 0 {
		t.Fatal("the cache was full: the model's is not")
	}
	if reading(st, "unreadable") != int64(m.unread) {
		t.Errorf("%d packets unreadable, the model says %d", reading(st, "unreadable"), m.unread)
	}
	if m.track && reading(st, "fragments_unknown") != int64(m.unknown) {
		t.Errorf("%d fragments without a first, the model says %d", reading(st, "fragments_unknown"), m.unknown)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d flows, the model has %d:\n%s", len(got), len(want), difference(got, want))
	}
}

// difference lists what only one side has.
func difference(got, want []string) string {
	var b strings.Builder
	n := 0
	for _, g := range got {
		if !slices.Contains(want, g) && n < 10 {
			fmt.Fprintf(&b, "  FLOW:  %s\n", g)
			n++
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) && n < 20 {
			fmt.Fprintf(&b, "  model: %s\n", w)
			n++
		}
	}
	return b.String()
}

// traffic makes packets of few endpoints, so that flows wake, end, collide and are torn apart.
func traffic(seed uint64, n int) (packets []packet) {
	r := rand.New(rand.NewPCG(seed, 1))
	now := 0.0
	for range n {
		switch r.IntN(40) {
		case 0:
			now += float64(r.IntN(40))
		case 1:
			now += float64(r.IntN(400)) / 100
		case 2:
			now -= r.Float64()
		default:
			now += r.Float64() / 20
		}
		a, b := r.IntN(6), r.IntN(6)
		v4 := IPv4{Src: fmt.Sprintf("10.0.0.%d", a), Dst: fmt.Sprintf("10.0.0.%d", b), TOS: uint8(r.IntN(2)), ID: uint16(r.IntN(3))}
		v6 := IPv6{Src: fmt.Sprintf("fd00::%d", a), Dst: fmt.Sprintf("fd00::%d", b)}
		var ip, in Layer = v4, TCP{Src: uint16(r.IntN(4)), Dst: uint16(r.IntN(4)), Flags: []uint8{ACK, ACK, ACK, SYN, SYN | ACK, FIN | ACK, RST}[r.IntN(7)]}
		six := r.IntN(3) == 0
		if six {
			ip = v6
		}
		switch r.IntN(8) {
		case 0, 1:
			in = UDP{Src: uint16(r.IntN(4)), Dst: uint16(r.IntN(4))}
		case 2:
			in = ICMP{Type: uint8(r.IntN(20)), Code: uint8(r.IntN(2))}
			if six {
				in = ICMPv6{Type: uint8(127 + r.IntN(4))}
			}
		}
		layers := []Layer{ip, in, Zeros(r.IntN(50))}
		if r.IntN(6) == 0 {
			first := r.IntN(2) == 0
			if six {
				f := Fragment{ID: uint32(r.IntN(3)), MF: true, Next: 17, Offset: 16}
				if first {
					f.Offset = 0
				}
				layers = []Layer{ip, f, UDP{Src: 1, Dst: 2}, Zeros(20)}
			} else {
				v4.Proto, v4.MF, v4.Offset = 17, true, 16
				if first {
					v4.Offset = 0
				}
				layers = []Layer{v4, UDP{Src: 1, Dst: 2}, Zeros(20)}
			}
		}
		packets = append(packets, at(now, layers...))
	}
	return packets
}

func TestModelAgrees(t *testing.T) {
	for seed := range uint64(6) {
		for _, biflow := range []bool{false, true} {
			packets := traffic(seed, 3000)
			agree(t, packets, []int{0, 1, 7, 256, 100, 13}[seed], biflow, float64(seed%3), 1, []string{"track", "model"}[seed%2])
			agree(t, packets, 0, biflow, 1, 3, "track")
		}
	}
}

// FuzzFlow makes packets of any octets: their times, lengths and headers. BASE and FLOW must agree
// with the model on every flow.
func FuzzFlow(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(pack8(traffic(seed, 30)), uint8(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte, settings uint8) {
		packets, workers := unpack8(data), 1+int(settings>>2&1)
		agree(t, packets, int(settings>>4), settings&1 != 0, float64(settings>>1&1), workers, []string{"track", "model"}[settings>>3&1])
	})
}

// pack8 writes packets as time step (quarter of a second, signed), length and octets.
func pack8(packets []packet) (b []byte) {
	now := t0
	for _, p := range packets {
		step := max(-128, min(127, (p.time-now)/(second/4)))
		now += step * (second / 4)
		b = append(b, byte(int8(step)), byte(len(p.data)))
		b = append(b, p.data[:min(len(p.data), 255)]...)
	}
	return b
}

func unpack8(b []byte) (packets []packet) {
	now := t0
	for len(b) > 2 {
		now += int64(int8(b[0])) * (second / 4)
		n := min(int(b[1]), len(b)-2)
		packets = append(packets, packet{time: max(now, 0), data: b[2 : 2+n]})
		b = b[2+n:]
	}
	return packets
}
