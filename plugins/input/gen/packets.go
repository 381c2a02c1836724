// Synthetic packets.

package gen

import (
	"encoding/binary"

	"ulogd/engine"
	"ulogd/engine/key"
)

// slot is how far apart packets lie in a block: the longest synthetic header and payload fit.
const slot = 128

// bindPackets binds the keys of packets and returns what fills rows with them.
func bindPackets(p *engine.Binder, g *gen) func(*engine.Batch, int) {
	all := g.all
	var (
		pkt, pktlen = engine.Give(p, all, key.RawPkt), engine.Give(p, all, key.RawPktLen)
		count       = engine.Give(p, all, key.RawPktCount)
		prefix      = engine.Give(p, all, key.OOBPrefix)
		at          = engine.Give(p, all, key.OOBTime)
		mark        = engine.Give(p, all, key.OOBMark)
		ifin, ifout = engine.Give(p, all, key.OOBIfIn), engine.Give(p, all, key.OOBIfOut)
		hook        = engine.Give(p, all, key.OOBHook)
		family      = engine.Give(p, all, key.OOBFamily)
		etype       = engine.Give(p, all, key.OOBProtocol)
		label       = engine.Give(p, all, key.RawLabel)
	)
	bits := all.Mask()
	blocks := engine.NewBlocks(engine.BatchSize * slot)
	block := blocks.Get()
	return func(b *engine.Batch, n int) {
		if block.Shared() {
			block.Release()
			block = blocks.Get()
		}
		b.SetData(block)
		name := engine.String(b.AddText([]byte("GEN")))
		have, pkts, lens := b.Have(), pkt.Of(b), pktlen.Of(b)
		cnt, pre, times, mk := count.Of(b), prefix.Of(b), at.Of(b), mark.Of(b)
		in, out, hk, fam, et, lb := ifin.Of(b), ifout.Of(b), hook.Of(b), family.Of(b), etype.Of(b), label.Of(b)
		for i := range n {
			r := engine.Row(i)
			x := g.rng.next()
			is6 := x>>40%100 < uint64(g.ipv6)
			size := writePacket(block.Data[i*slot:(i+1)*slot], x, g.hosts, is6)
			pkts[r], lens[r], cnt[r] = engine.Raw{Off: uint32(i * slot), Len: size}, size, 1
			fam[r], et[r] = engine.FamilyIPv4, engine.EtherIPv4
			if is6 {
				fam[r], et[r] = engine.FamilyIPv6, engine.EtherIPv6
			}
			pre[r], mk[r], in[r], out[r], hk[r], lb[r] = name, 0, 1, 0, 1, 0
			g.clock += int64(g.interval)
			times[r] = engine.Time(g.clock)
			have[r] = bits
		}
	}
}

// writePacket writes a TCP or UDP packet with correct lengths and returns its size. Checksums are
// left zero.
func writePacket(p []byte, x uint64, hosts int, is6 bool) uint32 {
	proto, dport := service(x >> 48 % 100)
	sport := uint16(32768 + x>>20%28232)
	src, dst := addresses(x, hosts, is6)
	payload := int(x >> 12 & 31)
	transport := 8
	if proto == 6 {
		transport = 20
	}
	ip := 20
	clear(p)
	if is6 {
		ip = 40
		p[0] = 0x60
		binary.BigEndian.PutUint16(p[4:], uint16(transport+payload))
		p[6], p[7] = proto, 64
		src.Put16(p[8:])
		dst.Put16(p[24:])
	} else {
		p[0] = 0x45
		binary.BigEndian.PutUint16(p[2:], uint16(ip+transport+payload))
		binary.BigEndian.PutUint16(p[4:], uint16(x>>4))
		p[6], p[8], p[9] = 0x40, 64, proto
		binary.BigEndian.PutUint32(p[12:], src.V4())
		binary.BigEndian.PutUint32(p[16:], dst.V4())
	}
	t := p[ip:]
	binary.BigEndian.PutUint16(t, sport)
	binary.BigEndian.PutUint16(t[2:], dport)
	if proto == 6 {
		binary.BigEndian.PutUint32(t[4:], uint32(x))
		t[12], t[13] = 0x50, 0x18 // header of 20 octets; ACK and PSH
		binary.BigEndian.PutUint16(t[14:], 65535)
	} else {
		binary.BigEndian.PutUint16(t[4:], uint16(transport+payload))
	}
	return uint32(ip + transport + payload)
}
