// Whether octets and packets are deltas or totals, which decides what a collector makes of them.

package export

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// Counters is the option "counters" of an exporter.
type Counters struct{ word string }

// Options declares it.
func (c *Counters) Options(o *engine.Options) {
	o.Enum(&c.word, "counters", "auto", []string{"auto", "total", "delta"},
		"elements for octets and packets: delta (1, 2) since the flow's last record, which every collector reads; total (85, 86) since it began, "+
			"which many do not; auto: as the input or FLOW counts, total where none of them says so, which the log tells")
}

// Totals reports whether a stack's counters go out as totals. It says so where the collector may
// not read them: goflow2 and what is built on it (akvorado and others) show 0 octets and 0 packets
// then.
func (c *Counters) Totals(p *engine.Binder) bool {
	switch c.word {
	case "total":
		return true
	case "delta":
		return false
	}
	info := p.Stack()
	switch info.Counts {
	case engine.CountsDelta:
		return false
	case engine.CountsTotal:
		p.Env().Log.Warn("octets and packets go out as totals (elements 85 and 86), since that is what the stack counts: goflow2, akvorado and other collectors "+
			"that read elements 1 and 2 only show 0", "stack", info.Name, "input", info.Input,
			"remedy", `let the input count deltas, or set counters = "total" where the collector reads totals`)
	default:
		// Of packets and the like there is nothing to say: they have no such counters.
		if octets, packets := engine.Want(p, key.OrigOctets), engine.Want(p, key.OrigPackets); octets.Given() ||
			packets.Given() {
			p.Env().Log.Warn("no plugin of the stack says whether octets and packets are deltas or totals, so they go out as "+
				"totals (elements 85 and 86), "+
				"which a collector does not add up: goflow2, akvorado and other collectors that read elements 1 and 2 only show 0",
				"stack", info.Name, "input", info.Input,
				"remedy", `set counters = "delta" if each record counts what came since the flow's last one, or if each flow has one record; `+
					`set counters = "total" if it counts all so far; a plugin of your own can say it with the method Counts (engine.Counting)`)
		}
	}
	return true
}
