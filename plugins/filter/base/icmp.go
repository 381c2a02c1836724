// The keys of ICMP and ICMPv6 messages (RFC 792, RFC 4443).

package base

import (
	"math/bits"

	"ulogd/engine"
	"ulogd/engine/key"
)

// icmpKeys are those of RFC 792's messages.
type icmpKeys struct {
	bits, echoBits, gatewayBits, mtuBits uint64
	typ, code                            engine.Col[uint8]
	echoID, echoSeq                      engine.Col[uint16]
	gateway                              engine.Col[engine.Addr]
	fragMTU                              engine.Col[uint16]
	csum                                 engine.Col[uint16]
}

func (k *icmpKeys) bind(p *engine.Binder) {
	g, echo, gateway, mtu := p.Group(), p.Group(), p.Group(), p.Group()
	k.bits, k.echoBits, k.gatewayBits, k.mtuBits = g.Mask(), echo.Mask(), gateway.Mask(), mtu.Mask()
	k.typ = engine.Give(p, g, key.ICMPType)
	k.code = engine.Give(p, g, key.ICMPCode)
	k.echoID = engine.Give(p, echo, key.ICMPEchoID)
	k.echoSeq = engine.Give(p, echo, key.ICMPEchoSeq)
	k.gateway = engine.Give(p, gateway, key.ICMPGateway)
	k.fragMTU = engine.Give(p, mtu, key.ICMPFragMTU)
	k.csum = engine.Give(p, g, key.ICMPCsum)
}

func (k *icmpKeys) wanted() bool {
	return anyWanted(k.typ, k.code, k.echoID, k.echoSeq, k.gateway, k.fragMTU, k.csum)
}

// ICMP types (RFC 792) that have more than a type and a code.
const (
	icmpEchoReply    = 0
	icmpUnreachable  = 3
	icmpRedirect     = 5
	icmpEcho         = 8
	icmpParameter    = 12
	icmpFragRequired = 4 // code of icmpUnreachable (RFC 1191)
)

func (k *icmpKeys) fill(b *engine.Batch, h *headers) {
	typ, code, csum := k.typ.Of(b), k.code.Of(b), k.csum.Of(b)
	echoID, echoSeq, gateway, fragMTU := k.echoID.Of(b), k.echoSeq.Of(b), k.gateway.Of(b), k.fragMTU.Of(b)
	have := b.Have()
	for _, r := range b.Rows() {
		if have[r]&k.bits == 0 {
			continue
		}
		m := h.l4(b, r)[:8]
		typ[r], code[r], csum[r] = m[0], m[1], be.Uint16(m[2:])
		if h.compat {
			csum[r] = bits.ReverseBytes16(csum[r])
		}
		switch {
		case m[0] == icmpEchoReply || m[0] == icmpEcho:
			echoID[r], echoSeq[r] = be.Uint16(m[4:]), be.Uint16(m[6:])
			have[r] |= k.echoBits
		case m[0] == icmpRedirect || m[0] == icmpParameter:
			word := be.Uint32(m[4:])
			if h.compat {
				word = bits.ReverseBytes32(word)
			}
			gateway[r] = engine.Addr4(word)
			have[r] |= k.gatewayBits
		case m[0] == icmpUnreachable && m[1] == icmpFragRequired:
			fragMTU[r] = be.Uint16(m[6:])
			have[r] |= k.mtuBits
		}
	}
}

// icmp6Keys are those of RFC 4443's messages.
type icmp6Keys struct {
	bits, echoBits  uint64
	typ, code       engine.Col[uint8]
	echoID, echoSeq engine.Col[uint16]
	csum            engine.Col[uint16]
}

func (k *icmp6Keys) bind(p *engine.Binder) {
	g, echo := p.Group(), p.Group()
	k.bits, k.echoBits = g.Mask(), echo.Mask()
	k.typ = engine.Give(p, g, key.ICMP6Type)
	k.code = engine.Give(p, g, key.ICMP6Code)
	k.echoID = engine.Give(p, echo, key.ICMP6EchoID)
	k.echoSeq = engine.Give(p, echo, key.ICMP6EchoSeq)
	k.csum = engine.Give(p, g, key.ICMP6Csum)
}

func (k *icmp6Keys) wanted() bool { return anyWanted(k.typ, k.code, k.echoID, k.echoSeq, k.csum) }

const (
	icmp6Echo      = 128
	icmp6EchoReply = 129
)

func (k *icmp6Keys) fill(b *engine.Batch, h *headers) {
	typ, code, csum, echoID, echoSeq := k.typ.Of(b), k.code.Of(b), k.csum.Of(b), k.echoID.Of(b), k.echoSeq.Of(b)
	have := b.Have()
	for _, r := range b.Rows() {
		if have[r]&k.bits == 0 {
			continue
		}
		m := h.l4(b, r)[:8]
		typ[r], code[r], csum[r] = m[0], m[1], be.Uint16(m[2:])
		if h.compat {
			csum[r] = bits.ReverseBytes16(csum[r])
		}
		if m[0] == icmp6Echo || m[0] == icmp6EchoReply {
			echoID[r], echoSeq[r] = be.Uint16(m[4:]), be.Uint16(m[6:])
			have[r] |= k.echoBits
		}
	}
}
