// Counters, losses apart.

package nfct

import "ulogd/engine"

// tally counts what becomes of messages and of remembered connections.
type tally struct {
	malformed, truncated *engine.Drop
	ownFlows, duplicates *engine.Counter
	liveFlows, forgotten *engine.Counter
	recoveredEnds        *engine.Counter
	failedDumps          *engine.Counter
	endUnknown           *engine.Counter
}

func (c *tally) open(s *engine.Stats, remember bool) {
	c.malformed = s.Drop("malformed", "messages that do not describe a connection")
	c.truncated = s.Drop("truncated", "messages longer than the receive buffer's slots")
	c.ownFlows = s.Counter("own_traffic", "connections left out because the daemon's own export made them")
	c.duplicates = s.Counter("duplicates", "ends that the kernel told again because another listener had no room")
	c.endUnknown = s.Counter("end_unknown", "ends whose last packet cannot be dated: no timeout of the kernel fits (ct timeout objects, flow tables), and flow.end is the entry's end")
	c.failedDumps = s.Counter("failed_dumps", "times that the table could not be read")
	if remember {
		c.liveFlows = s.Counter("live", "connections that are remembered now")
		c.forgotten = s.Counter("not_remembered", "times that a connection could not be remembered: hash_max_entries are")
		c.recoveredEnds = s.Counter("recovered", "ends that no event told of and a dump gave back")
	}
}
