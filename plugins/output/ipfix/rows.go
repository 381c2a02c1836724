// Which rows become records.

package ipfix

import (
	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/output/export"
)

// rowFilter returns what leaves out the rows that do not become records and counts them, or nil if
// all do.
func (o *output) rowFilter(p *engine.Binder) func(*engine.Batch, []engine.Row) []engine.Row {
	event, family := engine.Want(p, key.CTEvent), engine.Want(p, key.OOBFamily)
	stats := p.Stats()
	blind := o.layout == layoutULOGD2 && o.announce == export.Never
	if !event.Given() && !blind {
		return nil
	}
	return func(b *engine.Batch, rows []engine.Row) []engine.Row {
		have, ev, fam := b.Have(), event.Of(b), family.Of(b)
		em, fm := event.Mask(), family.Mask()
		n, six := 0, 0
		for _, r := range rows {
			switch {
			case have[r]&em != 0 && ev[r] == key.EventNew:
			case blind && have[r]&fm != 0 && fam[r] == engine.FamilyIPv6:
				six++
			default:
				rows[n] = r
				n++
			}
		}
		if six > 0 {
			o.no6.Add(six)
		}
		if n+six < len(rows) {
			stats.Filtered.Add(len(rows) - n - six)
		}
		return rows[:n]
	}
}
