// The connection that the kernel attaches to a packet on request (attach_conntrack).

package nflog

import (
	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/netlink/nlattr"
)

// Attributes of a connection (linux/netfilter/nfnetlink_conntrack.h).
const (
	ctaStatus = 3
	ctaMark   = 8
	ctaID     = 12
	ctaZone   = 18
)

// conntrack is the keys of the attached connection. They come together; a mark and a zone that are
// not sent are 0.
type conntrack struct {
	ctID, ctMark, ctStatus engine.Col[uint32]
	ctZone                 engine.Col[uint16]
}

func (c *conntrack) bind(p *engine.Binder, g engine.Group) {
	c.ctID = engine.GiveExtra(p, g, key.CTID)
	c.ctMark = engine.GiveExtra(p, g, key.CTMark)
	c.ctStatus = engine.GiveExtra(p, g, key.CTStatus)
	c.ctZone = engine.GiveExtra(p, g, key.CTZone)
}

func (n *nflog) connection(a *arrays, r engine.Row, attrs []byte) {
	a.ctID[r], a.ctMark[r], a.ctStatus[r], a.ctZone[r] = 0, 0, 0, 0
	for len(attrs) > 0 {
		var kind uint16
		var v []byte
		kind, v, attrs = nlattr.Next(attrs)
		switch {
		case kind == ctaZone && len(v) >= 2:
			a.ctZone[r] = be.Uint16(v)
		case len(v) < 4:
		case kind == ctaID:
			a.ctID[r] = be.Uint32(v)
		case kind == ctaMark:
			a.ctMark[r] = be.Uint32(v)
		case kind == ctaStatus:
			a.ctStatus[r] = be.Uint32(v)
		}
	}
}
