// The least and the most time to live of a flow's packets, kept only if somebody reads it.

package flow

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// hops are those of a flow, of the direction that began it and of the other.
type hops [2]struct{ least, most uint8 }

// noHops is what a flow without a known packet has: more at least than at most.
var noHops = hops{{least: 255}, {least: 255}}

// unknownHop stands for a packet whose time to live is not known.
const unknownHop = 1 << 8

func (h *hops) add(reverse bool, hop uint16) {
	if hop == unknownHop {
		return
	}
	d := &h[0]
	if reverse {
		d = &h[1]
	}
	d.least, d.most = min(d.least, uint8(hop)), max(d.most, uint8(hop))
}

// hopColumns are where a packet's is read from.
type hopColumns struct{ ttl, limit engine.Col[uint8] }

func bindHops(p *engine.Binder, wanted func() bool) hopColumns {
	return hopColumns{engine.WantIf(p, key.IPTTL, wanted), engine.WantIf(p, key.IP6HopLimit, wanted)}
}

// of returns a packet's time to live, or hop limit.
func (k *hopColumns) of(b *engine.Batch, r engine.Row) uint16 {
	switch {
	case k.ttl.Has(b, r):
		return uint16(k.ttl.Of(b)[r])
	case k.limit.Has(b, r):
		return uint16(k.limit.Of(b)[r])
	}
	return unknownHop
}

// hopKeys are what records tell of them.
type hopKeys struct {
	least, most [2]engine.Col[uint8]
	has         [2]uint64
}

func (o *hopKeys) bind(p *engine.Binder, biflow bool) {
	g := p.Group()
	o.has[0] = g.Mask()
	o.least[0], o.most[0] = engine.GiveExtra(p, g, key.OrigMinTTL), engine.GiveExtra(p, g, key.OrigMaxTTL)
	if biflow {
		g = p.Group()
		o.has[1] = g.Mask()
		o.least[1], o.most[1] = engine.GiveExtra(p, g, key.ReplyMinTTL), engine.GiveExtra(p, g, key.ReplyMaxTTL)
	}
}

// wanted reports whether somebody reads any of it.
func (o *hopKeys) wanted() bool {
	return o.least[0].Wanted() || o.most[0].Wanted() || o.has[1] != 0 && (o.least[1].Wanted() || o.most[1].Wanted())
}

func (o *hopKeys) fill(b *engine.Batch, at int, list []ended) {
	have := b.Have()
	for i := range list {
		r := engine.Row(at + i)
		for side, h := range list[i].hops {
			if h.least <= h.most && o.has[side] != 0 {
				o.least[side].Of(b)[r], o.most[side].Of(b)[r] = h.least, h.most
				have[r] |= o.has[side]
			}
		}
	}
}
