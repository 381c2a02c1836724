// The keys of UDP and SCTP headers.

package base

// The keys of transport headers that are little more than ports: UDP and SCTP.

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// udpKeys are those of RFC 768's header.
type udpKeys struct {
	bits                       uint64
	sport, dport, length, csum engine.Col[uint16]
}

func (k *udpKeys) bind(p *engine.Binder) {
	g := p.Group()
	k.bits = g.Mask()
	k.sport = engine.Give(p, g, key.UDPSport)
	k.dport = engine.Give(p, g, key.UDPDport)
	k.length = engine.Give(p, g, key.UDPLen)
	k.csum = engine.Give(p, g, key.UDPCsum)
}

func (k *udpKeys) wanted() bool { return anyWanted(k.sport, k.dport, k.length, k.csum) }

func (k *udpKeys) fill(b *engine.Batch, h *headers) {
	sport, dport, length, csum := k.sport.Of(b), k.dport.Of(b), k.length.Of(b), k.csum.Of(b)
	have := b.Have()
	for _, r := range b.Rows() {
		if have[r]&k.bits == 0 {
			continue
		}
		u := h.l4(b, r)[:8]
		sport[r], dport[r], length[r], csum[r] = be.Uint16(u), be.Uint16(u[2:]), be.Uint16(u[4:]), be.Uint16(u[6:])
	}
}

// sctpKeys are those of RFC 9260's common header.
type sctpKeys struct {
	bits         uint64
	sport, dport engine.Col[uint16]
	csum         engine.Col[uint32]
}

func (k *sctpKeys) bind(p *engine.Binder) {
	g := p.Group()
	k.bits = g.Mask()
	k.sport = engine.Give(p, g, key.SCTPSport)
	k.dport = engine.Give(p, g, key.SCTPDport)
	k.csum = engine.Give(p, g, key.SCTPCsum)
}

func (k *sctpKeys) wanted() bool { return anyWanted(k.sport, k.dport, k.csum) }

func (k *sctpKeys) fill(b *engine.Batch, h *headers) {
	sport, dport, csum := k.sport.Of(b), k.dport.Of(b), k.csum.Of(b)
	have := b.Have()
	for _, r := range b.Rows() {
		if have[r]&k.bits == 0 {
			continue
		}
		t := h.l4(b, r)[:12]
		sport[r], dport[r], csum[r] = be.Uint16(t), be.Uint16(t[2:]), be.Uint32(t[8:])
	}
}
