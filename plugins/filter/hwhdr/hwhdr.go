// Package hwhdr is the HWHDR filter: link-layer headers as text.
package hwhdr

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "HWHDR",
		Doc:  "Gives the link-layer header as text: both addresses where it is Ethernet's, and the header as a whole.",
		Example: `stack = "log1:NFLOG,base1:BASE,ip2str1:IP2STR,hw1:HWHDR,json1:JSON"

[log1]
group = 1
`,
		Filter: func() engine.Filter { return hwhdr{} },
	})
}

// Hardware types (linux/if_arp.h) and the layout of Ethernet's header.
const (
	arphrdEther    = 1
	arphrdVoid     = 0xffff
	etherHeaderLen = 14
)

type hwhdr struct{}

func (hwhdr) Options(*engine.Options) {}

func (hwhdr) Bind(p *engine.Binder) engine.Stage {
	s := &stage{
		typ:      engine.Want(p, key.RawType),
		protocol: engine.Need(p, key.OOBProtocol),
		mac:      engine.Want(p, key.RawMAC),
		saddr:    engine.Want(p, key.RawMACSaddr),
	}
	typ, saddr, daddr := p.Group(), p.Group(), p.Group()
	s.outType = engine.Give(p, typ, key.RawType)
	s.outProtocol = engine.Give(p, engine.GroupOf(p, s.protocol), key.OOBProtocol)
	s.saddrStr = engine.Give(p, saddr, key.MACSaddrStr)
	s.daddrStr = engine.Give(p, daddr, key.MACDaddrStr)
	s.macStr = engine.Give(p, engine.GroupOf(p, s.mac), key.MACStr)
	return s
}

type stage struct {
	typ, protocol      engine.Col[uint16]
	mac, saddr         engine.Col[engine.Raw]
	outType            engine.Col[uint16]
	outProtocol        engine.Col[uint16]
	saddrStr, daddrStr engine.Col[engine.String]
	macStr             engine.Col[engine.String]
}

func (s *stage) Consume(b *engine.Batch) {
	typ, mac, saddr := s.typ.Of(b), s.mac.Of(b), s.saddr.Of(b)
	outType, outProtocol := s.outType.Of(b), s.outProtocol.Of(b)
	saddrStr, daddrStr, macStr := s.saddrStr.Of(b), s.daddrStr.Of(b), s.macStr.Of(b)
	have, text := b.Have(), b.Text()
	add := func(octets []byte) engine.String {
		start := len(text)
		text = engine.AppendMAC(text, octets)
		return engine.String(b.SetText(text, start))
	}
	*outProtocol = *s.protocol.Of(b)
	for _, r := range b.Rows() {
		hasMAC, hasSaddr := have[r]&s.mac.Mask() != 0, have[r]&s.saddr.Mask() != 0
		if !hasMAC && !hasSaddr {
			continue
		}
		header := engine.Raw{}
		outType[r] = arphrdVoid
		if hasMAC {
			header = mac[r]
			macStr[r] = add(b.Bytes(engine.Span(header)))
			if have[r]&s.typ.Mask() != 0 {
				outType[r] = typ[r]
			}
		}
		bits := s.outType.Mask()
		ether := outType[r] == arphrdEther && header.Len >= etherHeaderLen
		if ether {
			h := b.Bytes(engine.Span(header))
			daddrStr[r] = add(h[:6])
			saddrStr[r] = add(h[6:12])
			outProtocol[r] = uint16(h[12])<<8 | uint16(h[13])
			bits |= s.daddrStr.Mask() | s.saddrStr.Mask()
		}
		if hasSaddr {
			saddrStr[r] = add(b.Bytes(engine.Span(saddr[r])))
			bits |= s.saddrStr.Mask()
		}
		have[r] |= bits
	}
}
