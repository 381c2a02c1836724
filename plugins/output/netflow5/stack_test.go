package netflow5

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/test/stacktest"
)

// told is a flow as a stack tells it; fields that are zero are not given.
type told struct {
	src, dst         string
	proto            uint8
	sport, dport     uint16
	icmp             bool // dport is type*256+code
	packets, octets  uint64
	rpackets, roctet uint64
	start, end       int64
	tos              uint8
	flags            uint16
	in, out          uint32
	hop              string
	splen, dplen     uint8
	event            uint32
	reason           uint8
}

// feed is an input of flows, in batches of at most a given size.
type feed struct {
	flows  []told
	size   int
	replay int64 // newest packet time; 0: live
	epoch  int64

	src, dst, hop                     engine.Col[engine.Addr]
	proto, tos, typ, code             engine.Col[uint8]
	splen, dplen, family, reason      engine.Col[uint8]
	sport, dport, flags               engine.Col[uint16]
	packets, octets, rpackets, roctet engine.Col[uint64]
	start, end, first                 engine.Col[engine.Time]
	in, out, event                    engine.Col[uint32]

	all, ports, icmp, reply, ends, hops, plens, ifout, events, epochs, reasons engine.Group
}

func (f *feed) Options(*engine.Options) {}

func (f *feed) Bind(p *engine.Binder) {
	for _, g := range []*engine.Group{&f.all, &f.ports, &f.icmp, &f.reply, &f.ends, &f.hops, &f.plens, &f.ifout, &f.events, &f.epochs, &f.reasons} {
		*g = p.Group()
	}
	f.src, f.dst = engine.Give(p, f.all, key.OrigSaddr), engine.Give(p, f.all, key.OrigDaddr)
	f.proto, f.family = engine.Give(p, f.all, key.OrigProtocol), engine.Give(p, f.all, key.OOBFamily)
	f.packets, f.octets = engine.Give(p, f.all, key.OrigPackets), engine.Give(p, f.all, key.OrigOctets)
	f.tos, f.flags, f.in = engine.Give(p, f.all, key.OrigTOS), engine.Give(p, f.all, key.OrigTCPFlags), engine.Give(p, f.all, key.OOBIfIn)
	f.sport, f.dport = engine.Give(p, f.ports, key.OrigSport), engine.Give(p, f.ports, key.OrigDport)
	f.typ, f.code = engine.Give(p, f.icmp, key.ICMPType), engine.Give(p, f.icmp, key.ICMPCode)
	f.rpackets, f.roctet = engine.Give(p, f.reply, key.ReplyPackets), engine.Give(p, f.reply, key.ReplyOctets)
	f.start, f.end = engine.Give(p, f.ends, key.FlowStart), engine.Give(p, f.ends, key.FlowEnd)
	f.hop, f.out = engine.Give(p, f.hops, key.RouteNextHop), engine.Give(p, f.ifout, key.OOBIfOut)
	f.splen, f.dplen = engine.Give(p, f.plens, key.RouteSrcPlen), engine.Give(p, f.plens, key.RouteDstPlen)
	f.event, f.reason = engine.Give(p, f.events, key.CTEvent), engine.Give(p, f.reasons, key.FlowEndReason)
	f.first = engine.Give(p, f.epochs, key.FlowEpoch)
}

func (f *feed) Read(b *engine.Batch, _ time.Time) error {
	if len(f.flows) == 0 {
		return io.EOF
	}
	n := min(len(f.flows), engine.BatchSize)
	if f.size > 0 {
		n = min(n, f.size)
	}
	for i, t := range f.flows[:n] {
		src := netip.MustParseAddr(t.src)
		f.src.Of(b)[i], f.dst.Of(b)[i] = engine.AddrFrom(src), engine.AddrFrom(netip.MustParseAddr(t.dst))
		f.family.Of(b)[i], f.proto.Of(b)[i] = engine.FamilyIPv4, t.proto
		if src.Is6() {
			f.family.Of(b)[i] = engine.FamilyIPv6
		}
		f.packets.Of(b)[i], f.octets.Of(b)[i], f.tos.Of(b)[i], f.flags.Of(b)[i], f.in.Of(b)[i] = t.packets, t.octets, t.tos, t.flags, t.in
		have := f.all.Mask()
		set := func(on bool, g engine.Group) bool {
			if on {
				have |= g.Mask()
			}
			return on
		}
		if set(t.icmp, f.icmp) {
			f.typ.Of(b)[i], f.code.Of(b)[i] = uint8(t.dport>>8), uint8(t.dport)
		} else if set(t.proto == 6 || t.proto == 17, f.ports) {
			f.sport.Of(b)[i], f.dport.Of(b)[i] = t.sport, t.dport
		}
		if set(t.rpackets > 0, f.reply) {
			f.rpackets.Of(b)[i], f.roctet.Of(b)[i] = t.rpackets, t.roctet
		}
		if set(t.start > 0, f.ends) {
			f.start.Of(b)[i], f.end.Of(b)[i] = engine.Time(t.start), engine.Time(t.end)
		}
		if set(t.hop != "", f.hops) {
			f.hop.Of(b)[i] = engine.AddrFrom(netip.MustParseAddr(t.hop))
		}
		if set(t.out > 0, f.ifout) {
			f.out.Of(b)[i] = t.out
		}
		if set(t.splen > 0, f.plens) {
			f.splen.Of(b)[i], f.dplen.Of(b)[i] = t.splen, t.dplen
		}
		if set(t.event > 0, f.events) {
			f.event.Of(b)[i] = t.event
		}
		if set(t.reason > 0, f.reasons) {
			f.reason.Of(b)[i] = t.reason
		}
		if set(f.epoch > 0, f.epochs) {
			f.first.Of(b)[i] = engine.Time(f.epoch)
		}
		b.Have()[i] = have
	}
	b.Fill(n)
	if f.replay > 0 {
		b.SetReplay(f.replay)
	}
	f.flows = f.flows[n:]
	return nil
}

// collect listens as a collector does, until the test ends.
func collect(t *testing.T) (address string, datagrams func() [][]byte) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetReadBuffer(4 << 20)
	return conn.LocalAddr().String(), func() (all [][]byte) {
		buf := make([]byte, 65536)
		for {
			// What has been sent over the loopback device has arrived.
			conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			n, err := conn.Read(buf)
			if err != nil {
				return all
			}
			all = append(all, slices.Clone(buf[:n]))
		}
	}
}

// export takes flows to a collector and returns the output's counters.
func export(t *testing.T, in engine.Input, settings ...string) engine.Snapshot {
	t.Helper()
	return runStack(t, settings, stacktest.Instance(engine.InputKind, in))
}

// runStack runs instances with NETFLOW5 behind them.
func runStack(t *testing.T, settings []string, instances ...*engine.Instance) engine.Snapshot {
	t.Helper()
	plugin, _ := engine.Default.Lookup(engine.OutputKind, "NETFLOW5")
	out := engine.NewInstance(plugin, "n")
	stacktest.Configure(t, out, settings...)
	m, problems := engine.Build(slog.New(slog.DiscardHandler), []engine.StackSpec{{Instances: append(instances, out)}})
	for _, p := range problems {
		t.Fatal(p)
	}
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	m.Start()
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, s := range m.Snapshot() {
		if open := s.Open(); open != 0 {
			t.Errorf("%s: the sum does not close by %d: %+v", s.ID, open, s)
		}
	}
	return m.Snapshot()[len(instances)]
}

// header and record are the format as Cisco's tables have it.
type header struct {
	Version, Count       uint16
	Uptime, Secs, Nsecs  uint32
	Sequence             uint32
	EngineType, EngineID uint8
	Sampling             uint16
}

type record struct {
	Src, Dst, NextHop [4]byte
	In, Out           uint16
	Packets, Octets   uint32
	First, Last       uint32
	Sport, Dport      uint16
	_                 uint8
	Flags, Proto, TOS uint8
	SrcAS, DstAS      uint16
	SrcPlen, DstPlen  uint8
	_                 uint16
}

func parse(t *testing.T, msg []byte) (h header, records []record) {
	t.Helper()
	n, err := binary.Decode(msg, binary.BigEndian, &h)
	if err != nil {
		t.Fatal(err)
	}
	if h.Version != 5 || h.Count < 1 || h.Count > 30 || len(msg) != n+48*int(h.Count) {
		t.Fatalf("%d octets, header %+v", len(msg), h)
	}
	records = make([]record, h.Count)
	if _, err := binary.Decode(msg[n:], binary.BigEndian, &records); err != nil {
		t.Fatal(err)
	}
	return h, records
}
