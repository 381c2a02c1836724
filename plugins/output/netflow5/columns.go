// The arrays of a batch from which records are made.

package netflow5

import "ulogd/engine"

// columns are the arrays of a batch, and the bits that say which rows have what.
type columns struct {
	saddr, daddr, nextHop       *[engine.BatchSize]engine.Addr
	protocol, typ, code, tos    *[engine.BatchSize]uint8
	srcPlen, dstPlen, rtos      *[engine.BatchSize]uint8
	sport, dport, flags, rflags *[engine.BatchSize]uint16
	octets, packets             *[engine.BatchSize]uint64
	roctets, rpackets           *[engine.BatchSize]uint64
	start, end, rstart, rend    *[engine.BatchSize]engine.Time
	ifIn, ifOut                 *[engine.BatchSize]uint32

	k     *keys
	clock engine.Time
	bits  presence
}

// presence are the masks of keys that some rows lack.
type presence struct {
	ports, icmp, counts, start, end, tos, flags, in, out, hop, srcPlen, dstPlen, rstart, rend, rtos, rflags uint64
}

func (s *stage) columns(b *engine.Batch) columns {
	k := &s.keys
	return columns{
		saddr: k.saddr.Of(b), daddr: k.daddr.Of(b), nextHop: k.nextHop.Of(b),
		protocol: k.protocol.Of(b), typ: k.typ.Of(b), code: k.code.Of(b), tos: k.tos.Of(b),
		srcPlen: k.srcPlen.Of(b), dstPlen: k.dstPlen.Of(b), rtos: k.rtos.Of(b),
		sport: k.sport.Of(b), dport: k.dport.Of(b), flags: k.flags.Of(b), rflags: k.rflags.Of(b),
		octets: k.octets.Of(b), packets: k.packets.Of(b), roctets: k.roctets.Of(b), rpackets: k.rpackets.Of(b),
		start: k.start.Of(b), end: k.end.Of(b), rstart: k.rstart.Of(b), rend: k.rend.Of(b),
		ifIn: k.ifIn.Of(b), ifOut: k.ifOut.Of(b),
		k: k, clock: engine.Time(b.Clock()),
		bits: presence{
			ports: k.sport.Mask(), icmp: k.typ.Mask(), counts: k.packets.Mask(),
			start: k.start.Mask(), end: k.end.Mask(), tos: k.tos.Mask(), flags: k.flags.Mask(),
			in: k.ifIn.Mask(), out: k.ifOut.Mask(), hop: k.nextHop.Mask(),
			srcPlen: k.srcPlen.Mask(), dstPlen: k.dstPlen.Mask(),
			rstart: k.rstart.Mask(), rend: k.rend.Mask(), rtos: k.rtos.Mask(), rflags: k.rflags.Mask(),
		},
	}
}

// flow gathers row r as the direction that began it.
func (c *columns) flow(have uint64, r engine.Row) flow {
	m := &c.bits
	f := flow{src: c.saddr[r].V4(), dst: c.daddr[r].V4(), proto: c.protocol[r], start: c.clock, end: c.clock}
	switch {
	case have&m.ports != 0:
		f.sport, f.dport = c.sport[r], c.dport[r]
	case have&m.icmp != 0:
		f.dport = uint16(c.typ[r])<<8 | uint16(c.code[r]) // where collectors look for it
	}
	if have&m.counts != 0 {
		f.packets, f.octets = c.packets[r], c.octets[r]
	}
	if have&m.end != 0 {
		f.start, f.end = c.end[r], c.end[r]
	}
	if have&m.start != 0 {
		f.start = c.start[r]
	}
	if have&m.tos != 0 {
		f.tos = c.tos[r]
	}
	if have&m.flags != 0 {
		f.flags = c.flags[r]
	}
	if have&m.in != 0 {
		f.in = c.ifIn[r]
	}
	if have&m.out != 0 {
		f.out = c.ifOut[r]
	}
	if have&m.hop != 0 {
		f.nextHop = c.nextHop[r].V4()
	}
	if have&m.srcPlen != 0 {
		f.srcPlen = c.srcPlen[r]
	}
	if have&m.dstPlen != 0 {
		f.dstPlen = c.dstPlen[r]
	}
	return f
}

// turn makes it the other direction, which has packets. The tuple is the original one's: version 5
// cannot tell of address translation.
func (c *columns) turn(f *flow, have uint64, r engine.Row) {
	m := &c.bits
	f.src, f.dst, f.in, f.out, f.nextHop = f.dst, f.src, f.out, f.in, 0
	f.srcPlen, f.dstPlen = f.dstPlen, f.srcPlen
	if have&m.ports != 0 {
		f.sport, f.dport = f.dport, f.sport
	} else if have&m.icmp != 0 {
		f.dport = answer(f.dport)
	}
	f.packets, f.octets, f.tos, f.flags = c.rpackets[r], c.roctets[r], 0, 0
	if have&m.rstart != 0 {
		f.start = c.rstart[r]
	}
	if have&m.rend != 0 {
		f.end = c.rend[r]
	}
	if have&m.rtos != 0 {
		f.tos = c.rtos[r]
	}
	if have&m.rflags != 0 {
		f.flags = c.rflags[r]
	}
}

// answer turns the type*256+code of an ICMP question into that of its answer (RFC 792).
func answer(typeCode uint16) uint16 {
	const echo, timestamp, info, mask = 8, 13, 15, 17
	switch typeCode >> 8 {
	case echo:
		return 0
	case timestamp, info, mask:
		return typeCode + 1<<8
	}
	return typeCode
}
