// Package mark is the MARK filter: it keeps records by their mark.
package mark

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "MARK",
		Doc: `Keeps the records whose mark, masked, equals a value.

A flow's connection mark counts where the input gives one, else the packet's mark. Records with neither pass.`,
		Example: `# Packets whose firewall mark has the lowest bit set.
stack = "log1:NFLOG,mark1:MARK,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU"

[mark1]
mark = 1
mask = 1
`,
		Filter: func() engine.Filter { return &mark{} },
	})
}

type mark struct{ mark, mask uint32 }

func (m *mark) Options(o *engine.Options) {
	engine.Int(o, &m.mark, "mark", 0, "the value that the masked mark must have")
	engine.Int(o, &m.mask, "mask", ^uint32(0), "bits of the mark that count")
}

func (m *mark) Bind(p *engine.Binder) engine.Stage {
	s := &stage{mark: m}
	// The connection mark that NFLOG can attach to a packet informs; the packet's own mark decides,
	// as in ulogd2.
	if ct, ok := p.Named(key.CTMark.Name()); ok && !ct.Extra {
		s.first = engine.Want(p, key.CTMark)
		s.second = s.first
	}
	if pkt := engine.Want(p, key.OOBMark); s.first == (engine.Col[uint32]{}) {
		s.first, s.second = pkt, pkt
	} else {
		s.second = pkt
	}
	return s
}

type stage struct {
	*mark
	first, second engine.Col[uint32] // the first that a row has counts
}

func (s *stage) Consume(b *engine.Batch) {
	first, second := s.first.Of(b), s.second.Of(b)
	hasFirst, hasSecond := s.first.Mask(), s.second.Mask()
	have, rows, kept := b.Have(), b.Rows(), 0
	for _, r := range rows {
		v, known := first[r], have[r]&hasFirst != 0
		if !known {
			v, known = second[r], have[r]&hasSecond != 0
		}
		if !known || v&s.mask == s.mark.mark {
			rows[kept] = r
			kept++
		}
	}
	b.Keep(kept)
}
