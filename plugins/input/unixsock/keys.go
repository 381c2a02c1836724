// The keys of a message, in ulogd2's order. Those of packets that a client cannot tell are declared
// and never there, so that stacks made for NFLOG fit.

package unixsock

import (
	"ulogd/engine"
	"ulogd/engine/element"
	"ulogd/engine/key"
)

// oobSec is the time as ulogd2 shows it here: seconds alone.
var oobSec = engine.NewKey[uint32](engine.KeyInfo{Name: "oob.time.sec", Unit: "s", Doc: "when the packet was seen, seconds since 1970", Elements: []*engine.Element{element.ObservationTimeSeconds}})

type columns struct {
	pkt              engine.Col[engine.Raw]
	pktLen, pktCount engine.Col[uint32]
	family, label    engine.Col[uint8]
	protocol         engine.Col[uint16]
	sec, userID      engine.Col[uint32]
	time             engine.Col[engine.Time]
	texts            []text

	always, hasTime, hasUserID, hasLabel uint64
}

// text is an option that is a string.
type text struct {
	option uint32
	col    engine.Col[engine.String]
	bit    uint64
}

func (c *columns) bind(p *engine.Binder) {
	all, never := p.Group(), p.Group()
	str := func(option uint32, k engine.Key[engine.String]) {
		g := p.Group()
		c.texts = append(c.texts, text{option, engine.Give(p, g, k), g.Mask()})
	}
	engine.Give(p, never, key.RawMAC)
	c.pkt = engine.Give(p, all, key.RawPkt)
	c.pktLen = engine.Give(p, all, key.RawPktLen)
	c.pktCount = engine.Give(p, all, key.RawPktCount)
	str(optPrefix, key.OOBPrefix)
	when := p.Group()
	c.sec = engine.Give(p, when, oobSec)
	engine.Give(p, never, key.OOBMark)
	str(optIn, key.OOBIn)
	str(optOut, key.OOBOut)
	engine.Give(p, never, key.OOBHook)
	engine.Give(p, never, key.RawMACLen)
	engine.Give(p, never, key.OOBSeqLocal)
	engine.Give(p, never, key.OOBSeqGlobal)
	c.family = engine.Give(p, all, key.OOBFamily)
	c.protocol = engine.Give(p, all, key.OOBProtocol)
	engine.Give(p, never, key.OOBUID)
	engine.Give(p, never, key.OOBGID)
	c.label = engine.Give(p, p.Group(), key.RawLabel)
	engine.Give(p, never, key.RawType)
	engine.Give(p, never, key.RawMACSaddr)
	engine.Give(p, never, key.RawMACAddrLen)
	str(optUserName, key.NufwUserName)
	c.userID = engine.Give(p, p.Group(), key.NufwUserID)
	str(optOSName, key.NufwOSName)
	str(optOSRel, key.NufwOSRel)
	str(optOSVers, key.NufwOSVers)
	str(optAppName, key.NufwAppName)
	// The same time for those that take it as a whole.
	c.time = engine.GiveExtra(p, when, key.OOBTime)
	c.always, c.hasTime, c.hasUserID, c.hasLabel = all.Mask(), when.Mask(), c.userID.Mask(), c.label.Mask()
}

// arrays are the columns of one batch.
type arrays struct {
	pkt              *[engine.BatchSize]engine.Raw
	pktLen, pktCount *[engine.BatchSize]uint32
	family, label    *[engine.BatchSize]uint8
	protocol         *[engine.BatchSize]uint16
	sec, userID      *[engine.BatchSize]uint32
	time             *[engine.BatchSize]engine.Time
	texts            [8]*[engine.BatchSize]engine.String
	have             *[engine.BatchSize]uint64
}

func (c *columns) of(b *engine.Batch) arrays {
	a := arrays{
		pkt: c.pkt.Of(b), pktLen: c.pktLen.Of(b), pktCount: c.pktCount.Of(b),
		family: c.family.Of(b), label: c.label.Of(b), protocol: c.protocol.Of(b),
		sec: c.sec.Of(b), userID: c.userID.Of(b), time: c.time.Of(b), have: b.Have(),
	}
	for i := range c.texts {
		a.texts[i] = c.texts[i].col.Of(b)
	}
	return a
}
