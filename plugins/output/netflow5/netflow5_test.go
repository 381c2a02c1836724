package netflow5

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

const second = int64(time.Second)

// t0 is when the packets of replayed files begin: longer ago than an uptime of 32 bits can say.
const t0 = 1600000000 * second

func tcpFlow(i int) told {
	return told{
		src: fmt.Sprintf("10.0.%d.%d", i>>8, i&255), dst: "192.0.2.1", proto: 6, sport: uint16(i), dport: 80, packets: 3, octets: 180, flags: 0x1b,
		start: t0 + int64(i)*second/100, end: t0 + int64(i)*second/100 + second,
	}
}

func TestRecord(t *testing.T) {
	address, datagrams := collect(t)
	in := &feed{replay: t0 + 100*second + second/200 + 5, epoch: t0, flows: []told{
		{src: "10.0.0.1", dst: "192.0.2.1", proto: 6, sport: 1000, dport: 80, packets: 5, octets: 600, start: t0 + 7*second/2, end: t0 + 9*second, tos: 0x28, flags: 0x11b, in: 2, out: 70000, hop: "10.9.9.9", splen: 24, dplen: 16},
		{src: "10.0.0.1", dst: "192.0.2.1", proto: 1, icmp: true, dport: 3<<8 | 4, packets: 1, octets: 56, start: t0, end: t0},
		{src: "10.0.0.1", dst: "192.0.2.1", proto: 47, packets: 1, octets: 56, start: t0 - 1, end: t0},
	}}
	st := export(t, in, "host="+address, "engine_type=7", "engine_id=9", "sampling=100")
	all := datagrams()
	h, r := parse(t, all[0])
	if want := (header{Version: 5, Count: 3, Uptime: day + 100005, Secs: uint32(t0/second) + 100, Nsecs: 5e6, EngineType: 7, EngineID: 9, Sampling: 1<<14 | 100}); h != want {
		t.Errorf("header %+v\n  want %+v", h, want)
	}
	want := []record{
		{Src: [4]byte{10, 0, 0, 1}, Dst: [4]byte{192, 0, 2, 1}, NextHop: [4]byte{10, 9, 9, 9}, In: 2, Out: 70000 & 0xffff, Packets: 5, Octets: 600, First: day + 3500, Last: day + 9000, Sport: 1000, Dport: 80, Flags: 0x1b, Proto: 6, TOS: 0x28, SrcPlen: 24, DstPlen: 16},
		{Src: [4]byte{10, 0, 0, 1}, Dst: [4]byte{192, 0, 2, 1}, Packets: 1, Octets: 56, First: day, Last: day, Dport: 0x304, Proto: 1},
		{Src: [4]byte{10, 0, 0, 1}, Dst: [4]byte{192, 0, 2, 1}, Packets: 1, Octets: 56, First: day - 1, Last: day, Proto: 47},
	}
	for i := range want {
		if r[i] != want[i] {
			t.Errorf("record %d: %+v\n    want: %+v", i, r[i], want[i])
		}
	}
	if reading(st, "clamped") != 0 {
		t.Errorf("a flow is counted as older than uptimes: %+v", st)
	}
}

// day is what uptimes are at a replayed file's first packet, in milliseconds.
const day = 24 * 3600 * 1000

// V5-1: the sequence counts flows; V5-8: what is left goes out at the end.
func TestSequenceAndCount(t *testing.T) {
	nstest.Need(t, "native") // qemu hands the length of segments (UDP_SEGMENT) to the kernel in the wrong byte order
	address, datagrams := collect(t)
	in := &feed{replay: t0 + 100*second, epoch: t0, size: 100}
	for i := range 1000 {
		in.flows = append(in.flows, tcpFlow(i))
	}
	st := export(t, in, "host="+address)
	sequence, seen := uint32(0), map[uint16]bool{}
	for _, msg := range datagrams() {
		h, records := parse(t, msg)
		if h.Sequence != sequence {
			t.Fatalf("sequence %d, want %d", h.Sequence, sequence)
		}
		if sequence < 990 && h.Count != 30 {
			t.Errorf("%d records in a datagram", h.Count)
		}
		sequence += uint32(h.Count)
		for _, r := range records {
			seen[r.Sport] = true
		}
	}
	if len(seen) != 1000 || st.Out != 1000 {
		t.Errorf("%d flows arrived, %d are counted as sent", len(seen), st.Out)
	}
}

// V5-2 and V5-9: a live datagram has the time of sending, and flows on the same clock.
func TestLiveClock(t *testing.T) {
	address, datagrams := collect(t)
	now := time.Now()
	f := tcpFlow(1)
	f.start, f.end = now.Add(-5*time.Second).UnixNano(), now.Add(-2*time.Second).UnixNano()
	export(t, &feed{flows: []told{f}, epoch: f.start}, "host="+address)
	h, r := parse(t, datagrams()[0])
	sent := time.Unix(int64(h.Secs), int64(h.Nsecs))
	if sent.Before(now) || sent.After(time.Now()) {
		t.Errorf("sent at %v, not between %v and now", sent, now)
	}
	start := sent.Add(-time.Duration(h.Uptime-r[0].First) * time.Millisecond)
	if d := start.Sub(time.Unix(0, f.start)); d < -5*time.Millisecond || d > 5*time.Millisecond {
		t.Errorf("a collector sees the flow begin %v off", d)
	}
}

// V5-2: what uptimes cannot tell beside the others has a datagram of its own, with a header near
// it; a flow that is longer than they reach begins with them. No time is 0, which means none.
func TestFarFromTheOthers(t *testing.T) {
	address, datagrams := collect(t)
	const days = day * int64(time.Millisecond)
	var flows []told
	for i, at := range []int64{0, -60 * days, 60 * days, second, 10 * second} { // the last one ends after the packet that is newest
		f := tcpFlow(i)
		f.start, f.end = t0+at, t0+at+second
		flows = append(flows, f)
	}
	long := tcpFlow(5)
	long.start, long.end = t0-100*days, t0
	st := export(t, &feed{flows: append(flows, long), epoch: t0, replay: t0 + 2*second}, "host="+address)
	var seen []uint16
	for _, msg := range datagrams() {
		h, records := parse(t, msg)
		if len(records) > 1 && (records[0].Sport != 0 || records[1].Sport != 3) {
			t.Errorf("%+v share a datagram", records)
		}
		for _, r := range records {
			want := flows[0]
			if r.Sport < 5 {
				want = flows[r.Sport]
			}
			if r.Last > h.Uptime {
				t.Errorf("flow %d ends at %d, its header is of %d", r.Sport, r.Last, h.Uptime)
			}
			sent := int64(h.Secs)*second + int64(h.Nsecs)
			end := sent - int64(h.Uptime-r.Last)*int64(time.Millisecond)
			if r.First == 0 || r.First > r.Last || r.Sport < 5 && (end != want.end || r.Last-r.First != 1000) {
				t.Errorf("flow %d: first %d, last %d, ends at %v, want %v", r.Sport, r.First, r.Last, time.Unix(0, end), time.Unix(0, want.end))
			}
			seen = append(seen, r.Sport)
		}
	}
	if len(seen) != 6 || reading(st, "clamped") != 1 {
		t.Errorf("flows %v, %d of them clamped", seen, reading(st, "clamped"))
	}
}

// V5-4: counters never wrap.
func TestBigFlowsAreSplit(t *testing.T) {
	address, datagrams := collect(t)
	f := tcpFlow(0)
	f.packets, f.octets = 1<<32+7, 5<<32+3
	st := export(t, &feed{flows: []told{f}, epoch: t0, replay: t0 + 9*second}, "host="+address)
	h, records := parse(t, datagrams()[0])
	var packets, octets uint64
	for _, r := range records {
		packets, octets = packets+uint64(r.Packets), octets+uint64(r.Octets)
	}
	if h.Count != 6 || packets != f.packets || octets != f.octets || reading(st, "split") != 5 {
		t.Errorf("%d records, %d packets, %d octets, %d split", h.Count, packets, octets, reading(st, "split"))
	}
}

// V5-5: no zeros instead of IPv6 addresses. Connections that go on are not told, unless that is a
// report of its own.
func TestLeftOut(t *testing.T) {
	address, datagrams := collect(t)
	six, began, ended, interim := tcpFlow(0), tcpFlow(1), tcpFlow(2), tcpFlow(3)
	six.src, six.dst = "2001:db8::1", "2001:db8::2"
	began.event, ended.event, interim.event, interim.reason = 1, 4, 2, 2
	st := export(t, &feed{flows: []told{six, began, ended, interim}, epoch: t0, replay: t0 + 9*second}, "host="+address)
	h, r := parse(t, datagrams()[0])
	if h.Count != 2 || r[0].Sport != 2 || r[1].Sport != 3 || reading(st, "ipv6") != 1 || st.Filtered != 2 ||
		st.Dropped != 0 {
		t.Errorf("%+v %+v", r, st)
	}
}

// V5-6 and V5-7: each direction with packets is a record, of the original addresses.
func TestBothDirections(t *testing.T) {
	address, datagrams := collect(t)
	f := tcpFlow(5)
	f.rpackets, f.roctet, f.in, f.out, f.splen, f.dplen = 9, 9000, 3, 4, 8, 24
	ping := told{src: "10.0.0.1", dst: "192.0.2.1", proto: 1, icmp: true, dport: 8 << 8, packets: 1, octets: 84, rpackets: 1, roctet: 84}
	st := export(t, &feed{flows: []told{f, ping}, epoch: t0, replay: t0 + 9*second}, "host="+address)
	_, r := parse(t, datagrams()[0])
	back := r[1]
	if len(r) != 4 || back.Src != r[0].Dst || back.Dst != r[0].Src || back.Sport != 80 || back.Dport != 5 || back.Packets != 9 || back.Octets != 9000 ||
		back.In != 4 || back.Out != 3 || back.SrcPlen != 24 || back.DstPlen != 8 || back.Flags != 0 {
		t.Errorf("%+v", r)
	}
	if r[2].Dport != 8<<8 || r[3].Dport != 0 || st.Made != 2 || st.Out != 4 {
		t.Errorf("%+v %+v", r[2:], st)
	}
}

func TestCollectors(t *testing.T) {
	one, first := collect(t)
	two, other := collect(t)
	flows := func() *feed {
		in := &feed{replay: t0 + 100*second, epoch: t0}
		for i := range 600 {
			f := tcpFlow(i)
			in.flows = append(in.flows, f)
			f.src, f.dst, f.sport, f.dport = f.dst, f.src, f.dport, f.sport
			in.flows = append(in.flows, f)
		}
		return in
	}
	count := func(all [][]byte) (n uint32, ports map[uint16]int) {
		ports = map[uint16]int{}
		for _, msg := range all {
			h, records := parse(t, msg)
			if h.Sequence != n {
				t.Errorf("sequence %d, want %d", h.Sequence, n)
			}
			n += uint32(h.Count)
			for _, r := range records {
				ports[min(r.Sport, r.Dport)+max(r.Sport, r.Dport)]++
			}
		}
		return n, ports
	}
	export(t, flows(), "host="+one+","+two)
	a, _ := count(first())
	b, _ := count(other())
	if a != 1200 || b != 1200 {
		t.Errorf("all: %d and %d records", a, b)
	}
	export(t, flows(), "host="+one+","+two, "mode=balance")
	a, pa := count(first())
	b, _ = count(other())
	if a+b != 1200 || a < 400 || b < 400 {
		t.Errorf("balance: %d and %d records", a, b)
	}
	for port, n := range pa {
		if n != 2 {
			t.Errorf("the directions of the connection with ports that sum to %d are apart", port)
		}
	}
}

// V5-8: a datagram that is not full leaves after flush_interval.
func TestFlushInterval(t *testing.T) {
	address, datagrams := collect(t)
	var early [][]byte
	in := &slow{feed: &feed{flows: []told{tcpFlow(0)}}, wait: 600 * time.Millisecond, then: func() { early = datagrams() }}
	export(t, in, "host="+address, "flush_interval=0.2")
	if len(early) != 1 {
		t.Errorf("%d datagrams after three times the interval", len(early))
	}
}

// slow is a feed that stays for a while after its last flow.
type slow struct {
	*feed
	wait time.Duration
	then func()
	end  time.Time
}

func (s *slow) Read(b *engine.Batch, deadline time.Time) error {
	if len(s.flows) > 0 {
		return s.feed.Read(b, deadline)
	}
	if s.end.IsZero() {
		s.end = time.Now().Add(s.wait)
	}
	if time.Now().Before(s.end) {
		time.Sleep(time.Until(deadline))
		return nil
	}
	s.then()
	return s.feed.Read(b, deadline)
}

func TestSettingsAreChecked(t *testing.T) {
	plugin, _ := engine.Default.Lookup(engine.OutputKind, "NETFLOW5")
	for _, s := range []string{"sampling=16384", "host=", "port=0"} {
		out := engine.NewInstance(plugin, "n")
		stacktest.Set(t, out, "host=127.0.0.1", s)
		name, _, _ := strings.Cut(s, "=")
		if err := out.Validate(); err == nil || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func reading(s engine.Snapshot, name string) int64 {
	for _, list := range [][]engine.Reading{s.Counters, s.Drops, s.Exclusions} {
		for _, r := range list {
			if r.Name == name {
				return r.Value
			}
		}
	}
	return -1
}
