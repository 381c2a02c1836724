// Counters, losses apart.

package nfct

import (
	"strings"

	"ulogd/engine"
)

// families are those that a filter may hide.
var families = [2]string{"IPv4", "IPv6"}

// tally counts what becomes of messages and of remembered connections.
type tally struct {
	hidden               [2]*engine.Exclusion // IPv4, IPv6
	untranslated         *engine.Exclusion
	malformed, truncated *engine.Drop
	ownFlows, duplicates *engine.Counter
	liveFlows, forgotten *engine.Counter
	entries, most        *engine.Counter
	insertions           *engine.Counter
	filled, room         *engine.Counter
	recoveredEnds        *engine.Counter
	failedDumps          *engine.Counter
	endUnknown           *engine.Counter
}

func (c *tally) open(s *engine.Stats, remember, translated bool, hidden [2]bool) {
	if translated {
		c.untranslated = s.Exclusion("not_translated", "connections that are not translated (translated_only)")
	}
	for i, name := range families {
		if !hidden[i] {
			continue
		}
		c.hidden[i] = s.Exclusion(strings.ToLower(name), "events of "+name+
			" connections, of which accept_src_filter or accept_dst_filter lists no network")
	}
	c.malformed = s.Drop("malformed", "messages that do not describe a connection")
	c.truncated = s.Drop("truncated", "messages longer than the receive buffer's slots")
	c.ownFlows = s.Counter("own_traffic", "connections left out because the daemon's own export made them")
	c.duplicates = s.Counter("duplicates", "ends that the kernel told again because another listener had no room")
	c.endUnknown = s.Counter(
		"end_unknown",
		"ends whose last packet cannot be dated: no timeout of the kernel fits (ct timeout objects, "+
			"flow tables), and flow.end is the entry's end",
	)
	c.failedDumps = s.Counter("failed_dumps", "times that the table could not be read")
	c.filled = s.Gauge("socket_octets", "octets of the receive buffer that are taken, the kernel's bookkeeping included")
	c.room = s.Gauge("socket_octets_max", "octets of the receive buffer, the kernel's bookkeeping included")
	if remember {
		c.liveFlows = s.Level("live", "connections that are remembered now")
		c.entries = s.Gauge("table_entries", "flows or connections in the table")
		c.most = s.Gauge("table_entries_max", "flows or connections that the table has room for")
		c.insertions = s.Total("table_insertions", "flows or connections that were entered into the table")
		c.forgotten = s.Counter("not_remembered", "times that a connection could not be remembered: hash_max_entries are")
		c.recoveredEnds = s.Counter("recovered", "ends that no event told of and a dump gave back")
	}
}
