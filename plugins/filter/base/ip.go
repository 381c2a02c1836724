// The keys of IP headers, of both versions.

package base

// The keys of IP headers. Where the headers are has been found before.

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// ipKeys are those that both versions have.
type ipKeys struct {
	bits, protocolBits uint64
	saddr, daddr       engine.Col[engine.Addr]
	protocol           engine.Col[uint8]
}

func (k *ipKeys) bind(p *engine.Binder) {
	addresses, protocol := p.Group(), p.Group()
	k.bits, k.protocolBits = addresses.Mask(), protocol.Mask()
	k.saddr = engine.Give(p, addresses, key.IPSaddr)
	k.daddr = engine.Give(p, addresses, key.IPDaddr)
	k.protocol = engine.Give(p, protocol, key.IPProtocol)
}

func (k *ipKeys) wanted() bool { return anyWanted(k.saddr, k.daddr, k.protocol) }

func (k *ipKeys) fill(b *engine.Batch, h *headers) {
	saddr, daddr, protocol := k.saddr.Of(b), k.daddr.Of(b), k.protocol.Of(b)
	have := b.Have()
	for _, r := range b.Rows() {
		if have[r]&k.bits != 0 {
			t := &h.tuple[r]
			saddr[r], daddr[r], protocol[r] = t.Src, t.Dst, t.Proto
		}
	}
}

// ip4Keys are those of RFC 791's header.
type ip4Keys struct {
	bits          uint64
	tos, ttl, ihl engine.Col[uint8]
	totLen, csum  engine.Col[uint16]
	id, fragOff   engine.Col[uint16]
}

func (k *ip4Keys) bind(p *engine.Binder) {
	g := p.Group()
	k.bits = g.Mask()
	k.tos = engine.Give(p, g, key.IPTOS)
	k.ttl = engine.Give(p, g, key.IPTTL)
	k.totLen = engine.Give(p, g, key.IPTotLen)
	k.ihl = engine.Give(p, g, key.IPIHL)
	k.csum = engine.Give(p, g, key.IPCsum)
	k.id = engine.Give(p, g, key.IPID)
	k.fragOff = engine.Give(p, g, key.IPFragOff)
}

func (k *ip4Keys) wanted() bool {
	return anyWanted(k.tos, k.ttl, k.totLen, k.ihl, k.csum, k.id, k.fragOff)
}

func (k *ip4Keys) fill(b *engine.Batch, h *headers) {
	tos, ttl, totLen, ihl := k.tos.Of(b), k.ttl.Of(b), k.totLen.Of(b), k.ihl.Of(b)
	csum, id, fragOff := k.csum.Of(b), k.id.Of(b), k.fragOff.Of(b)
	have := b.Have()
	for _, r := range b.Rows() {
		if have[r]&k.bits == 0 {
			continue
		}
		p := h.net(b, r)[:20]
		ihl[r], tos[r], ttl[r] = p[0]&15, p[1], p[8]
		totLen[r], id[r], fragOff[r], csum[r] = be.Uint16(p[2:]), be.Uint16(p[4:]), be.Uint16(p[6:]), be.Uint16(p[10:])
	}
}

// ip6Keys are those of RFC 8200's header.
type ip6Keys struct {
	bits, nextBits     uint64
	payloadLen         engine.Col[uint16]
	priority, hopLimit engine.Col[uint8]
	flowLabel          engine.Col[uint32]
	nextHdr            engine.Col[uint8]
}

func (k *ip6Keys) bind(p *engine.Binder) {
	g, next := p.Group(), p.Group()
	k.bits, k.nextBits = g.Mask(), next.Mask()
	k.payloadLen = engine.Give(p, g, key.IP6PayloadLen)
	k.priority = engine.Give(p, g, key.IP6Priority)
	k.flowLabel = engine.Give(p, g, key.IP6FlowLabel)
	k.hopLimit = engine.Give(p, g, key.IP6HopLimit)
	k.nextHdr = engine.Give(p, next, key.IP6NextHdr)
}

func (k *ip6Keys) wanted() bool {
	return anyWanted(k.payloadLen, k.priority, k.flowLabel, k.hopLimit, k.nextHdr)
}

func (k *ip6Keys) fill(b *engine.Batch, h *headers) {
	payloadLen, priority, flowLabel := k.payloadLen.Of(b), k.priority.Of(b), k.flowLabel.Of(b)
	hopLimit, nextHdr := k.hopLimit.Of(b), k.nextHdr.Of(b)
	have := b.Have()
	for _, r := range b.Rows() {
		if have[r]&k.bits == 0 {
			continue
		}
		p := h.net(b, r)[:40]
		word := be.Uint32(p)
		priority[r], flowLabel[r] = uint8(word>>20), word&0xfffff
		payloadLen[r], hopLimit[r] = be.Uint16(p[4:]), p[7]
		nextHdr[r] = h.tuple[r].Proto
	}
}
