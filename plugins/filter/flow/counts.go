// FLOW's counters.

package flow

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// counts are what the operator is told. They are gathered while a batch is worked on and added at
// its end.
type counts struct {
	made  int
	shown int // of the live flows: what the gauge has
	ended [key.EndResources + 1]int

	stats   *engine.Stats
	reasons [key.EndResources + 1]*engine.Counter

	entries, most, insertions *engine.Counter
}

func newCounts(st *engine.Stats) counts {
	return counts{
		stats:      st,
		entries:    st.Gauge("table_entries", "flows or connections in the table"),
		most:       st.Gauge("table_entries_max", "flows or connections that the table has room for"),
		insertions: st.Total("table_insertions", "flows or connections that were entered into the table"),
		reasons: [...]*engine.Counter{
			key.EndIdle:     st.Counter("ended_idle", "flows that were idle for inactive_timeout"),
			key.EndActive:   st.Counter("ended_active", "flows reported because they were older than active_timeout"),
			key.EndDetected: st.Counter("ended_finished", "TCP flows that ended by FIN or RST"),
			key.EndForced: st.Counter("ended_forced",
				"flows reported because the input or the daemon ended, or because a counter was full"),
			key.EndResources: st.Counter("ended_pushed_out",
				"flows reported early because a new one needed their place; raise max_flows"),
		},
	}
}

// show tells monitors how full the table is. Copies add up.
func (c *cache) show() {
	n := &c.counts
	n.entries.Add(c.live - n.shown)
	n.shown = c.live
}

// settle adds what a batch changed, and makes records of the flows that ended. A flow is held from
// its first packet until its record is handed on.
func (c *cache) settle() {
	n := &c.counts
	n.stats.Made.Add(n.made)
	n.stats.Held.Add(n.made)
	n.insertions.Add(n.made)
	n.made = 0
	for reason, ended := range n.ended {
		if ended > 0 {
			n.reasons[reason].Add(ended)
			n.ended[reason] = 0
		}
	}
	c.out.settle(c)
}
