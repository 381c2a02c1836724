// Counters into rows.

package counters

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// blockSize is what the names of a batch may take; MostText bounds those of one counter.
const (
	MostText  = 4096
	blockSize = 16 * MostText
)

// columns are the keys.
type columns struct {
	all, time, quotas, tables engine.Group
	name                      engine.Col[engine.String]
	packets, octets           engine.Col[uint64]
	oobTime                   engine.Col[engine.Time]
	quota                     engine.Col[uint64]
	flags                     engine.Col[uint32]
	family, table             engine.Col[engine.String]
	withQuotas, withTables    bool
}

// Bind declares the keys that all counters have, in ulogd2's order.
func (p *Poller) Bind(b *engine.Binder) {
	c := &p.columns
	c.all, c.time = b.Group(), b.Group()
	c.name = engine.Give(b, c.all, key.SumName)
	c.packets = engine.Give(b, c.all, key.SumPackets)
	c.octets = engine.Give(b, c.all, key.SumOctets)
	c.oobTime = engine.Give(b, c.time, key.OOBTime)
}

// BindQuotas declares those of counters that may have a quota.
func (p *Poller) BindQuotas(b *engine.Binder) {
	c := &p.columns
	c.quotas, c.withQuotas = b.Group(), true
	c.quota = engine.GiveExtra(b, c.quotas, key.SumQuota)
	c.flags = engine.GiveExtra(b, c.quotas, key.SumFlags)
}

// BindTables declares those of counters that stand in tables.
func (p *Poller) BindTables(b *engine.Binder) {
	c := &p.columns
	c.tables, c.withTables = b.Group(), true
	c.family = engine.Give(b, c.tables, key.SumFamily)
	c.table = engine.Give(b, c.tables, key.SumTable)
}

// fill turns counters into rows, as many as a batch and a block hold.
func (p *Poller) fill(b *engine.Batch) {
	c, have := &p.columns, b.Have()
	block := p.blocks.Get()
	defer block.Release()
	b.SetData(block)
	rows, end := 0, 0
	text := func(s string) engine.String {
		at := end
		end += copy(block.Data[end:], s)
		return engine.String{Off: uint32(at), Len: uint32(end - at)}
	}
	for rows < engine.BatchSize && len(p.pending) > 0 && end+MostText <= len(block.Data) {
		k := &p.pending[0]
		p.pending = p.pending[1:]
		if len(k.Family)+len(k.Table)+len(k.Name) > MostText {
			p.malformed++
			continue
		}
		r := engine.Row(rows)
		have[r] = c.all.Mask()
		c.name.Of(b)[r] = text(k.Name)
		c.packets.Of(b)[r], c.octets.Of(b)[r] = k.Packets, k.Octets
		c.oobTime.Of(b)[r] = engine.Time(p.polled.UnixNano())
		if p.timestamp {
			have[r] |= c.time.Mask()
		}
		if c.withQuotas && k.Limited {
			c.quota.Of(b)[r], c.flags.Of(b)[r] = k.Quota, k.Flags
			have[r] |= c.quotas.Mask()
		}
		if c.withTables {
			c.family.Of(b)[r], c.table.Of(b)[r] = text(k.Family), text(k.Table)
			have[r] |= c.tables.Mask()
		}
		rows++
	}
	b.Fill(rows)
	if p.malformed > 0 {
		p.dropped.Rows(b, p.malformed)
		p.malformed = 0
	}
}
