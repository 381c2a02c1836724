// The keys that PCAP gives, and the rows that it makes of frames.

package pcap

import (
	"log/slog"
	"strings"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/pcap/filter"
)

// columns are what PCAP gives of a packet, and the counters of packets that it does not give.
type columns struct {
	all, hardware, source, dest, in, out, joined engine.Group

	pkt      engine.Col[engine.Raw]
	length   engine.Col[uint32]
	wire     engine.Col[uint32]
	count    engine.Col[uint32]
	time     engine.Col[engine.Time]
	family   engine.Col[uint8]
	protocol engine.Col[uint16]
	mac      engine.Col[engine.Raw]
	maclen   engine.Col[uint16]
	mactype  engine.Col[uint16]
	saddr    engine.Col[engine.Raw]
	addrlen  engine.Col[uint16]
	daddr    engine.Col[engine.Raw]
	ifin     engine.Col[uint32]
	ifout    engine.Col[uint32]
	log      logColumns

	segments, headers engine.Col[uint32]
	joins             *[engine.BatchSize]join // of a live capture: what its frames name

	within             int             // where in an aggregate the next of its packets begins, 0 at its first
	filter             *filter.Program // nil takes all
	linkWanted         bool            // whether anybody reads what Ethernet's header says
	noNetwork, refused *engine.Drop
	noPacket           *engine.Exclusion
	logger             *slog.Logger
	stats              *engine.Stats
	byName             map[string]*engine.Counter // of refused packets, by the link type's name
}

func (k *columns) open(env *engine.Env) {
	k.logger = env.Log
	k.Widen()
}

// Widen implements engine.Widener.
func (k *columns) Widen() {
	k.linkWanted = k.hardware.Wanted() || k.source.Wanted() || k.dest.Wanted()
}

func (k *columns) bind(p *engine.Binder, live bool) {
	k.all, k.hardware, k.source, k.dest, k.in, k.out = p.Group(), p.Group(), p.Group(), p.Group(), p.Group(), p.Group()
	k.pkt = engine.Give(p, k.all, key.RawPkt)
	k.length = engine.Give(p, k.all, key.RawPktLen)
	k.wire = engine.Give(p, k.all, key.RawWireLen)
	k.count = engine.Give(p, k.all, key.RawPktCount)
	k.time = engine.Give(p, k.all, key.OOBTime)
	k.family = engine.Give(p, k.all, key.OOBFamily)
	k.protocol = engine.Give(p, k.all, key.OOBProtocol)
	k.mac = engine.Give(p, k.hardware, key.RawMAC)
	k.maclen = engine.Give(p, k.hardware, key.RawMACLen)
	k.mactype = engine.Give(p, k.hardware, key.RawType)
	k.saddr = engine.Give(p, k.source, key.RawMACSaddr)
	k.addrlen = engine.Give(p, k.source, key.RawMACAddrLen)
	k.daddr = engine.GiveExtra(p, k.dest, key.RawMACDaddr)
	k.ifin = engine.Give(p, k.in, key.OOBIfIn)
	k.ifout = engine.Give(p, k.out, key.OOBIfOut)
	k.log.bind(p)
	if live {
		k.joined = p.Group()
		k.segments = engine.GiveExtra(p, k.joined, key.FlowSegments)
		k.headers = engine.GiveExtra(p, k.joined, key.FlowSegmentHeaders)
	}

	s := p.Stats()
	k.stats, k.byName = s, map[string]*engine.Counter{}
	k.noNetwork = s.Drop("no_network_header", "frames that end in their link header, or whose header is not known")
	k.noPacket = s.Exclusion("no_packet", "frames that carry no packet of a network: of PPP's own protocols, wireless management, encrypted ones")
	k.refused = s.Drop("link_type", "packets of a capture interface whose link type is not supported")
}

// fill makes rows of frames, which lie in the block, and returns how many frames it has done with,
// which is less than all where one of them holds many packets, and the newest time among them. What
// the filter does not take is counted as filtered.
func (k *columns) fill(b *engine.Batch, block *engine.Block, ports []port, frames []frame) (used int, newest int64) {
	b.SetData(block)
	if len(ports) == 1 && ports[0].plain() && k.filter == nil && !k.linkWanted {
		return len(frames), k.fillPlain(b, frames)
	}
	have, pkt, length, wire := b.Have(), k.pkt.Of(b), k.length.Of(b), k.wire.Of(b)
	count, times, family, protocol := k.count.Of(b), k.time.Of(b), k.family.Of(b), k.protocol.Of(b)
	mac, maclen, mactype, saddr, addrlen := k.mac.Of(b), k.maclen.Of(b), k.mactype.Of(b), k.saddr.Of(b), k.addrlen.Of(b)
	ifin, ifout, daddr := k.ifin.Of(b), k.ifout.Of(b), k.daddr.Of(b)
	wanted, ethernet := k.linkWanted, k.all.Mask()|k.hardware.Mask()|k.source.Mask()|k.dest.Mask()
	row, refused, skipped, other, without := 0, 0, 0, 0, 0
	for used < len(frames) && row < engine.BatchSize {
		f := &frames[used]
		used++
		p := &ports[f.port]
		if p.refused != nil {
			refused++
			p.missed++
			continue
		}
		data, wirelen := block.Data[f.off:f.off+f.caplen], f.wirelen
		r := engine.Row(row)
		newest = max(newest, f.time)
		net, etherType, bits := uint32(etherLength), uint16(0), ethernet
		if p.link == linkEthernet && len(data) >= etherLength {
			etherType = be.Uint16(data[12:])
			if p.ifin|p.ifout != 0 {
				ifin[r], ifout[r] = p.ifin, p.ifout
				bits |= k.interfaces(p.ifin, p.ifout)
			}
			if f.joined != 0 {
				j := &k.joins[f.joined-1]
				k.segments.Of(b)[r], k.headers.Of(b)[r] = j.packets, j.headers-etherLength
				bits |= k.joined.Mask()
			}
			if wanted {
				mac[r], maclen[r], mactype[r] = engine.Raw{Off: f.off, Len: etherLength}, etherLength, p.hardware
				saddr[r], addrlen[r] = engine.Raw{Off: f.off + 6, Len: 6}, 6
				daddr[r] = engine.Raw{Off: f.off, Len: 6}
			}
		} else {
			var h header
			ok := h.read(p.link, data)
			if ok && h.aggregate {
				end, next := 0, 0
				if end, next, ok = h.subframe(data, max(int(h.net), k.within)); next > 0 {
					used-- // this frame once more
				}
				k.within = next
				data, wirelen = data[:min(end, len(data))], uint32(end)
			}
			if !ok {
				switch {
				case k.filter != nil && !k.filter.Match(data, 0, wirelen):
					skipped++
				case h.other:
					other++
				default:
					without++
				}
				continue
			}
			net, etherType, bits = h.net, h.etherType, k.all.Mask()|k.interfaces(h.ifin, h.ifout)
			ifin[r], ifout[r] = h.ifin, h.ifout
			switch {
			case p.link == linkNFLOG:
				bits |= k.logged(b, r, data, f.off)
			case h.net > 0:
				bits |= k.hardware.Mask()
				mac[r], maclen[r], mactype[r] = engine.Raw{Off: f.off, Len: h.net}, uint16(h.net), p.hardware
			}
			if h.src >= 0 {
				saddr[r], addrlen[r] = engine.Raw{Off: f.off + uint32(h.src), Len: 6}, 6
				bits |= k.source.Mask()
			}
			if h.dst >= 0 {
				daddr[r] = engine.Raw{Off: f.off + uint32(h.dst), Len: 6}
				bits |= k.dest.Mask()
			}
		}
		if k.filter != nil && !k.filter.Match(data[net:], etherType, wirelen) {
			skipped++
			continue
		}
		caplen := uint32(len(data))
		pkt[r] = engine.Raw{Off: f.off + net, Len: caplen - net}
		length[r], wire[r], count[r] = caplen-net, max(wirelen, caplen)-net, 1
		times[r], protocol[r], family[r] = engine.Time(f.time), etherType, familyOf(etherType)
		have[r] = bits
		row++
	}
	b.Fill(row)
	if refused > 0 {
		k.refuse(b, ports, refused)
	}
	if skipped > 0 {
		b.Skip(skipped)
	}
	if other > 0 {
		k.noPacket.Rows(b, other)
	}
	if without > 0 {
		k.noNetwork.Rows(b, without)
	}
	return used, newest
}

// fillPlain is fill for frames of Ethernet of which nobody wants to know more than the packet.
func (k *columns) fillPlain(b *engine.Batch, frames []frame) (newest int64) {
	have, pkt, times, family, protocol := b.Have(), k.pkt.Of(b), k.time.Of(b), k.family.Of(b), k.protocol.Of(b)
	length, wire, count := k.length.Of(b), k.wire.Of(b), k.count.Of(b)
	bits, row := k.all.Mask()|k.hardware.Mask()|k.source.Mask()|k.dest.Mask(), 0
	for i := range frames {
		f := &frames[i]
		if f.caplen < etherLength {
			continue
		}
		r := engine.Row(row)
		row++
		p := engine.Raw{Off: f.off + etherLength, Len: f.caplen - etherLength}
		pkt[r], length[r], wire[r], count[r] = p, p.Len, max(f.wirelen, f.caplen)-etherLength, 1
		etherType := be.Uint16(b.Bytes(engine.Span{Off: f.off + 12, Len: 2}))
		times[r], protocol[r], family[r] = engine.Time(f.time), etherType, familyOf(etherType)
		have[r] = bits
		newest = max(newest, f.time)
	}
	b.Fill(row)
	if without := len(frames) - row; without > 0 {
		k.noNetwork.Rows(b, without)
	}
	return newest
}

// interfaces are the presence bits for an interface index of either direction, 0 being none.
func (k *columns) interfaces(in, out uint32) (bits uint64) {
	if in != 0 {
		bits |= k.in.Mask()
	}
	if out != 0 {
		bits |= k.out.Mask()
	}
	return bits
}

// refuse counts packets of link types that cannot be read, by the type's name too, and names them in
// the log the first time.
func (k *columns) refuse(b *engine.Batch, ports []port, n int) {
	if k.refused.Load() == 0 {
		for _, p := range ports {
			if p.refused != nil {
				k.logger.Error("packets are left out", "error", p.refused)
			}
		}
	}
	k.refused.Rows(b, n)
	for i := range ports {
		p := &ports[i]
		if p.missed == 0 || supported(p.link) == nil { // it is the resolution of its times
			continue
		}
		name := strings.ToLower(linkNames[p.link])
		if name == "" {
			name = "other"
		}
		if k.byName[name] == nil {
			k.byName[name] = k.stats.Counter("link_type_"+name, "packets of this link type, which is not supported")
		}
		k.byName[name].Add(p.missed)
		p.missed = 0
	}
}

// familyOf gives the netfilter family that goes with an EtherType; what is neither IP nor ARP is a
// frame of the netdev family.
func familyOf(etherType uint16) uint8 {
	switch etherType {
	case engine.EtherIPv4:
		return engine.FamilyIPv4
	case engine.EtherIPv6:
		return engine.FamilyIPv6
	case engine.EtherARP:
		return engine.FamilyARP
	}
	return engine.FamilyNetdev
}
