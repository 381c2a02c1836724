// Times that jump, run back, or belong to nobody.

package flow

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	. "ulogd/test/packettest"
)

// flows112 is an hour of packets in 112 flows: of seven at a time one every ten seconds, each of 22
// packets.
func flows112() (packets []packet) {
	for i := range 112 {
		begin := float64(i/7) * 240
		for n := range 22 {
			packets = append(packets, udp(begin+float64(n)*10+float64(i%7)/10, uint16(1000+i%7), 53, n))
		}
	}
	slices.SortStableFunc(packets, func(a, b packet) int { return cmp.Compare(a.time, b.time) })
	return packets
}

// recordsOf are the records of packets, without the reasons of the last, which depend on what comes
// behind.
func recordsOf(t *testing.T, packets []packet, batch, workers int) (lines []string, outliers, steps int64) {
	t.Helper()
	out, st := run(t, &feed{packets: slices.Clone(packets), batch: batch}, fmt.Sprint("workers=", workers))
	for i, r := range out.records {
		lines = append(lines, fmt.Sprint(r.show(), " ", out.nanos[i].start, " ", out.nanos[i].end))
	}
	slices.Sort(lines)
	return lines, reading(st, "time_outliers"), reading(st, "time_steps")
}

func TestOneTimeFarOffIsNotTime(t *testing.T) {
	plain := flows112()
	want, _, _ := recordsOf(t, plain, 0, 1)
	if len(want) != 112 {
		t.Fatalf("%d flows without a wrong time", len(want))
	}
	for name, off := range map[string]int64{"ten years on": 10 * 365 * 86400, "two minutes on": 120, "two hours back": -7200, "1970": -t0 / second, "2262": math.MaxInt64/second - t0/second - 1} {
		for _, place := range []int{1, 100, 255, 1000, len(plain) - 2} {
			for workers, batch := range []int{0, 0, 7, 7} {
				packets := slices.Clone(plain)
				p := &packets[place]
				p.time += off * second
				got, outliers, steps := recordsOf(t, packets, batch, 1+workers%2*3)
				// Of the record that has the packet only the times may differ, by what the
				// neighbours are apart.
				if len(got) != 112 || outliers != 1 || steps != 0 || differ(got, want) > 1 {
					t.Errorf("%s, packet %d, batches of %d, %d: %d flows, %d outliers, %d steps, %d records differ", name, place, batch, workers, len(got), outliers, steps, differ(got, want))
				}
				for _, l := range got {
					if f := strings.Fields(l); f[8] < fmt.Sprint(t0) || f[9] > fmt.Sprint(t0+4000*second) {
						t.Errorf("%s, packet %d: %s", name, place, l)
					}
				}
			}
		}
	}
}

func differ(a, b []string) (n int) {
	for _, l := range a {
		if !slices.Contains(b, l) {
			n++
		}
	}
	return n
}

// A clock that is set back two hours in the middle: the 112 flows stay 112, each as long as it was
// but for what passed between the two packets.
func TestALastingStepSetsTheClockAnew(t *testing.T) {
	for _, by := range []int64{-7200, -300} {
		for _, batch := range []int{0, 1, 7} {
			packets := flows112()
			lengths := func(packets []packet) (all []int64) {
				out, st := run(t, &feed{packets: slices.Clone(packets), batch: batch})
				if by != 0 && reading(st, "time_steps") != 1 {
					t.Errorf("%d steps", reading(st, "time_steps"))
				}
				for i := range out.records {
					all = append(all, (out.nanos[i].end-out.nanos[i].start)/second)
				}
				slices.Sort(all)
				return all
			}
			stepped := slices.Clone(packets)
			for i := range stepped[1000:] {
				stepped[1000+i].time += by * second
			}
			got := lengths(stepped)
			if len(got) != 112 || got[0] < 199 || got[111] > 211 {
				t.Errorf("%d s in batches of %d: %d flows, %v seconds long", by, batch, len(got), got)
			}
			out, _ := run(t, &feed{packets: stepped, batch: batch})
			for i, r := range out.records { // no record says that it lasted into the other time
				if n := out.nanos[i]; n.end < n.start {
					t.Errorf("%s ends before it begins", r.show())
				}
			}
		}
	}
}

// A pause is time that passes: what was idle has ended, whatever the size of batches.
func TestAPauseEndsFlows(t *testing.T) {
	for _, pause := range []float64{100, 7200, 86400 * 365} {
		for _, batch := range []int{0, 1, 2} {
			packets := []packet{udp(0, 1, 1, 0), udp(1, 1, 1, 0), udp(pause, 1, 1, 0), udp(2*pause, 1, 1, 0), udp(2*pause+1, 1, 1, 0)}
			out, st := run(t, &feed{packets: packets, batch: batch})
			want(t, out.lines("orig.raw.pktcount", "flow.end.reason"), "1 1", "2 1", "2 4")
			if n := reading(st, "time_outliers") + reading(st, "time_steps"); n != 0 {
				t.Errorf("pause %v, batches of %d: %d strange times", pause, batch, n)
			}
		}
	}
}

// What is not IP has its time too, so that flows end by it, with any number of workers.
func TestEveryPacketMovesTheClock(t *testing.T) {
	arp := packet{time: t0 + 60*second, data: make([]byte, 30)}
	for _, workers := range []string{"workers=1", "workers=3"} {
		out, _ := run(t, &feed{packets: []packet{udp(0, 1, 1, 0), arp}}, workers)
		want(t, out.lines("flow.end.reason"), "1")
	}
}

// The machine's clock on the wall is set back an hour, and forward to where it was: flows end by
// the monotonic one, and the times of those that go on move along.
func TestTheWallClockIsSet(t *testing.T) {
	f := &flow{active: time.Hour, inactive: 15 * time.Second}
	st := engine.NewInstance(&engine.Plugin{Name: "X", Filter: func() engine.Filter { return f }}, "x").Stats
	l := f.timeline(st)
	now, wall := time.Now(), t0
	at := func(seconds int64, set int64) {
		l.liveAt(now.Add(time.Duration(seconds*second)), wall+(seconds+set)*second)
	}
	at(0, 0)
	begin := l.clock
	for _, c := range []struct{ seconds, set, step, total int64 }{{10, 0, 0, 0}, {20, -3600, 1, 3600}, {30, -3600, 1, 3600}, {40, 0, 2, 0}} {
		at(c.seconds, c.set)
		if l.clock != begin+c.seconds*second || int64(l.step) != c.step || l.total[l.step].Load() != c.total*second || l.clock-l.offset != wall+(c.seconds+c.set)*second {
			t.Errorf("after %d s: clock %d, step %d, moved %d, time of day %d", c.seconds, (l.clock-begin)/second, l.step, l.total[l.step].Load()/second, (l.clock-l.offset-wall)/second)
		}
	}
}

// The same under traffic: while the wall's clock is back an hour, idle flows end as ever, before the
// input does; a flow that goes on is as long as it was, and one that begins has the new time.
func TestIdleFlowsEndWhileTheWallClockIsBack(t *testing.T) {
	began := time.Now()
	var back time.Duration
	wall = func(now time.Time) int64 { return now.Add(-back).UnixNano() }
	defer func() { wall = time.Time.UnixNano }()
	in := &feed{live: true, batch: 1}
	for i := range 40 { // a packet each 0.1 s: of the flow that goes on, and others with it
		in.packets = append(in.packets, udp(0, 1, 53, i))
	}
	in.packets[0].data = udp(0, 7, 53, 0).data  // idle from before the step
	in.packets[15].data = udp(0, 8, 53, 0).data // idle from behind it
	in.pause = func(n int) {
		time.Sleep(time.Until(began.Add(time.Duration(n) * 100 * time.Millisecond)))
		if n == 10 {
			back = time.Hour
		}
		in.packets[0].time = wall(time.Now())
	}
	out, st := run(t, in, "inactive_timeout=1")
	if steps := reading(st, "time_steps"); steps != 1 {
		t.Errorf("%d steps", steps)
	}
	ends := map[string]string{}
	for i, r := range out.records {
		port, n := r["orig.l4.sport"], out.nanos[i]
		ends[port] += r["flow.end.reason"]
		if port == "7" {
			continue
		}
		hourBack := began.Add(-time.Hour).UnixNano()
		if begin := n.start - hourBack; begin < -second || begin > 60*second || n.end < n.start {
			t.Errorf("port %s: from %v to %v", port, time.Unix(0, n.start), time.Unix(0, n.end))
		}
		if long := n.end - n.start; port == "1" && (long < 3*second || long > 60*second) {
			t.Errorf("the flow that goes on is %v long", time.Duration(long))
		}
	}
	const idle, forced = "1", "4"
	if len(ends) != 3 || ends["7"] != idle || ends["8"] != idle || ends["1"] != forced {
		t.Errorf("flows ended by %v", ends)
	}
}

// Fragments may come before the first of their datagram. They wait for it, by packet time.
func TestFragmentsBeforeTheFirst(t *testing.T) {
	first := func(sec float64, id uint16) packet {
		return at(sec, IPv4{ID: id, MF: true}, UDP{Src: 5, Dst: 6, Length: 48}, Zeros(16))
	}
	later := func(sec float64, id uint16, offset int) packet {
		return at(sec, IPv4{ID: id, MF: offset < 40, Offset: offset, Proto: 17}, Zeros(16))
	}
	for _, workers := range []string{"workers=1", "workers=4"} {
		for _, batch := range []int{0, 1} {
			out, st := run(t, &feed{packets: []packet{later(0, 1, 40), later(0.1, 1, 24), later(0.2, 2, 24), first(1.5, 1), later(1.6, 1, 56)}, batch: batch}, workers)
			want(t, out.lines(), "192.0.2.1 0 192.0.2.2 0 17 1 36 4", "192.0.2.1 5 192.0.2.2 6 17 4 152 4")
			if n := reading(st, "fragments_unknown"); n != 1 || st.Absorbed != 5 {
				t.Errorf("%d unknown, %+v", n, st)
			}
			for i, r := range out.records {
				if r["orig.l4.sport"] == "5" && (out.nanos[i].start != t0 || out.nanos[i].end != t0+1600_000_000) {
					t.Errorf("from %d to %d", out.nanos[i].start-t0, out.nanos[i].end-t0)
				}
			}
			// Three seconds are too long.
			out, _ = run(t, &feed{packets: []packet{later(0, 1, 40), first(3, 1)}, batch: batch}, workers)
			want(t, out.lines(), "192.0.2.1 0 192.0.2.2 0 17 1 36 4", "192.0.2.1 5 192.0.2.2 6 17 1 44 4")
		}
	}
	// No more than a bounded number waits; what gives way is counted all the same.
	var many []packet
	for i := range 5000 {
		many = append(many, later(float64(i)/10000, uint16(i), 40))
	}
	out, st := run(t, &feed{packets: many})
	want(t, out.lines(), "192.0.2.1 0 192.0.2.2 0 17 5000 180000 4")
	if n := reading(st, "fragments_unknown"); n != 5000 {
		t.Errorf("%d unknown", n)
	}
}

// Where the type of ICMP is not known, none is told: 0 and 0 are an echo reply.
func TestUnknownTypesOfICMP(t *testing.T) {
	names := []string{"orig.ip.protocol", "orig.raw.pktcount", "icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code"}
	cut := at(0, IPv4{}, ICMP{Type: 8})
	cut.data = cut.data[:21]
	packets := []packet{
		cut, at(0, IPv4{ID: 7, Offset: 40, Proto: 1}, Zeros(16)), at(0, IPv4{}, ICMP{}), // no type, no type, an echo reply
		at(0, IPv6{}, Fragment{ID: 9, Offset: 16, Next: 58}, Zeros(24)), at(0, IPv6{}, ICMPv6{Type: 128}),
		at(0, IPv4{Proto: 58}, Zeros(8)), at(0, IPv6{Next: 1}, Zeros(8)), // of the other version
	}
	for _, biflow := range []string{"biflow=false", "biflow=true"} {
		zero := "0"
		if biflow == "biflow=true" {
			zero = "8"
		}
		out, _ := run(t, &feed{packets: packets}, biflow)
		want(t, out.lines(names...), "1 1 - - - -", "1 1 "+zero+" 0 - -", "1 2 - - - -", "58 1 - - - -", "58 1 - - - -", "58 1 - - 128 0")
	}
	out, _ := run(t, &feed{packets: packets}, "key=tos")
	want(t, out.lines(names...), "1 1 - - - -", "1 3 - - - -", "58 1 - - - -", "58 2 - - - -")
}

// Marks and hardware addresses are told where the packet had them.
func TestNoAddressWhereThereIsNone(t *testing.T) {
	names := []string{"orig.l4.sport", "orig.mac.saddr", "orig.mac.daddr", "oob.mark"}
	ether, none := udp(0, 1, 1, 0), udp(0, 2, 2, 0)
	ether.mac, ether.mark = "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00", 5
	in := &feed{packets: []packet{ether, none}, noMark: true}
	out, _ := run(t, in)
	want(t, out.lines(names...), "1 02:00:00:00:00:02 02:00:00:00:00:01 -", "2 - - -")
	cooked := ether
	cooked.hardware = 0xffff // a header of another kind
	out, _ = run(t, &feed{packets: []packet{cooked}})
	want(t, out.lines(names...), "1 - - 5")
}
