// Records of NetFlow version 5.

package netflow5

import (
	"math/bits"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/output/export/uptime"
)

// keys are what a record is made of. Most may be missing; then the field is 0.
type keys struct {
	fam              engine.Family
	event            engine.Col[uint32]
	reason           engine.Col[uint8]
	saddr, daddr     engine.Col[engine.Addr]
	protocol         engine.Col[uint8]
	sport, dport     engine.Col[uint16]
	typ, code        engine.Col[uint8]
	octets, packets  engine.Col[uint64]
	start, end       engine.Col[engine.Time]
	tos              engine.Col[uint8]
	flags            engine.Col[uint16]
	ifIn, ifOut      engine.Col[uint32]
	nextHop          engine.Col[engine.Addr]
	srcPlen, dstPlen engine.Col[uint8]

	roctets, rpackets engine.Col[uint64]
	rstart, rend      engine.Col[engine.Time]
	rtos              engine.Col[uint8]
	rflags            engine.Col[uint16]
}

func bind(p *engine.Binder) keys {
	return keys{
		fam: p.Family(), event: engine.Want(p, key.CTEvent), reason: engine.Want(p, key.FlowEndReason),
		saddr: engine.Need(p, key.OrigSaddr), daddr: engine.Need(p, key.OrigDaddr),
		protocol: engine.Need(p, key.OrigProtocol),
		sport:    engine.Want(p, key.OrigSport), dport: engine.Want(p, key.OrigDport),
		typ: engine.Want(p, key.ICMPType), code: engine.Want(p, key.ICMPCode),
		octets: engine.Want(p, key.OrigOctets), packets: engine.Want(p, key.OrigPackets),
		start: engine.Want(p, key.FlowStart), end: engine.Want(p, key.FlowEnd),
		tos: engine.Want(p, key.OrigTOS), flags: engine.Want(p, key.OrigTCPFlags),
		ifIn: engine.Want(p, key.OOBIfIn), ifOut: engine.Want(p, key.OOBIfOut),
		nextHop: engine.Want(p, key.RouteNextHop),
		srcPlen: engine.Want(p, key.RouteSrcPlen), dstPlen: engine.Want(p, key.RouteDstPlen),
		roctets: engine.Want(p, key.ReplyOctets), rpackets: engine.Want(p, key.ReplyPackets),
		rstart: engine.Want(p, key.ReplyStart), rend: engine.Want(p, key.ReplyEnd),
		rtos: engine.Want(p, key.ReplyTOS), rflags: engine.Want(p, key.ReplyTCPFlags),
	}
}

// stage is the output at the end of one stack.
type stage struct {
	o    *output
	wait bool // rather than drop: the input loses nothing by it
	keys
	times *uptime.Times
	rows  [engine.BatchSize]engine.Row
}

// flow is what one record tells.
type flow struct {
	src, dst, nextHop uint32
	in, out           uint32
	packets, octets   uint64
	start, end        engine.Time
	sport, dport      uint16
	flags             uint16
	proto, tos        uint8
	srcPlen, dstPlen  uint8
}

// Consume implements engine.Stage. Events other than the end of a connection are told only if they
// report what was counted so far, and why.
func (s *stage) Consume(b *engine.Batch) {
	o, now := s.o, time.Now()
	if s.wait {
		now = o.Wait(now)
	}
	rows := s.rows[:copy(s.rows[:], b.Rows())]
	s.times.Encode(&o.clock, b, rows, now, func(rows []engine.Row) { s.encode(b, rows, now) })
	o.Pump(now)
}

// encode makes records of rows.
func (s *stage) encode(b *engine.Batch, rows []engine.Row, now time.Time) {
	o, have := s.o, b.Have()
	eventBit, reasonBit, event := s.event.Mask(), s.reason.Mask(), s.event.Of(b)
	rbit, rpackets := s.rpackets.Mask(), s.rpackets.Of(b)
	var six, other, filtered, made int
	c := s.columns(b)
	for _, r := range rows {
		switch version := s.fam.Version(b, r); {
		case have[r]&eventBit != 0 && event[r] != key.EventDestroy && have[r]&reasonBit == 0:
			filtered++
			continue
		case version == 6:
			six++
			continue
		case version == 0:
			other++
			continue
		}
		f := c.flow(have[r], r)
		n := 0
		// A connection without counters is told all the same.
		if f.packets > 0 || have[r]&rbit == 0 || rpackets[r] == 0 {
			n = s.put(&f, now)
		}
		if have[r]&rbit != 0 && rpackets[r] > 0 {
			c.turn(&f, have[r], r)
			n += s.put(&f, now)
		}
		made += n - 1
	}
	st := o.Env().Stats
	o.ipv6.Add(six)
	o.notIP.Add(other)
	st.Filtered.Add(filtered)
	st.Made.Add(made)
	for _, x := range o.Streams {
		x.Settle(now)
	}
}

// put writes the flow's records and returns how many they are.
func (s *stage) put(f *flow, now time.Time) (records int) {
	o := s.o
	x := o.packers[0]
	if len(o.packers) > 1 {
		x = o.packers[f.share(len(o.packers))]
	}
	start, early := o.clock.Millis(int64(f.start))
	end, _ := o.clock.Millis(int64(f.end))
	if early {
		o.clamped.Add(1)
	}
	// Each of n records takes an n-th of what is left, so that none is above 32 bits.
	for n := f.parts(); n > 0; n-- {
		packets, octets := f.packets/n, f.octets/n
		f.packets, f.octets = f.packets-packets, f.octets-octets
		p := x.record(now)
		_ = p[recordLen-1]
		be.PutUint32(p[0:], f.src)
		be.PutUint32(p[4:], f.dst)
		be.PutUint32(p[8:], f.nextHop)
		be.PutUint16(p[12:], uint16(f.in))
		be.PutUint16(p[14:], uint16(f.out))
		be.PutUint32(p[16:], uint32(packets))
		be.PutUint32(p[20:], uint32(octets))
		be.PutUint32(p[24:], start)
		be.PutUint32(p[28:], end)
		be.PutUint16(p[32:], f.sport)
		be.PutUint16(p[34:], f.dport)
		be.PutUint32(p[36:], uint32(uint8(f.flags))<<16|uint32(f.proto)<<8|uint32(f.tos)) // an octet of padding first
		be.PutUint32(p[40:], 0)                                                           // AS numbers
		be.PutUint32(p[44:], uint32(f.srcPlen)<<24|uint32(f.dstPlen)<<16)
		records++
	}
	if records > 1 {
		o.split.Add(records - 1)
	}
	return records
}

// parts returns the number of records that the flow's counters need.
func (f *flow) parts() uint64 {
	const most = 1<<32 - 1
	if f.packets|f.octets <= most {
		return 1
	}
	return max((f.packets-1)/most, (f.octets-1)/most) + 1
}

// share chooses one of n streams, the same for both directions.
func (f *flow) share(n int) int {
	x := uint64(f.src^f.dst)<<32 | uint64(f.sport^f.dport)<<8 | uint64(f.proto)
	hi, lo := bits.Mul64(x, 0x9e3779b97f4a7c15)
	hi, _ = bits.Mul64(hi^lo, uint64(n))
	return int(hi)
}
