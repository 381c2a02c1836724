// Flows that go on while their stack is bound anew.

package flow

import "ulogd/engine"

var _ engine.Heir = (*stage)(nil)

// Inherit implements engine.Heir: the flows of a stage of the same settings go on here, with the
// clock that they end by. Copies that share a dealer do not, nor do entries that have less than is
// read now, or more.
func (s *stage) Inherit(from engine.Stage) bool {
	o, ok := from.(*stage)
	if !ok || s.dealt || o.dealt || !s.cache.inherit(o.cache) {
		return false
	}
	s.timeline, o.timeline = o.timeline, s.timeline
	s.since = o.since
	s.front.secret, o.front.secret = o.front.secret, s.front.secret
	s.front.frags, o.front.frags = o.front.frags, s.front.frags
	s.doubt, o.doubt = o.doubt, doubtful{}
	s.doubt.packet.tuple, s.doubt.packet.look = &s.doubt.tuple, &s.doubt.look
	return true
}

// inherit takes the flows of another cache, which gets the empty table. Records of flows that have
// ended already go the way that they would have gone.
func (c *cache) inherit(o *cache) bool {
	if (c.links == nil) != (o.links == nil) || (c.labels == nil) != (o.labels == nil) ||
		(c.hops == nil) != (o.hops == nil) {
		return false
	}
	o.settle()
	o.out.flush()
	c.table, o.table = o.table, c.table
	c.timeline, o.timeline = o.timeline, c.timeline
	c.started, c.replay, c.clock, c.swept = o.started, o.replay, o.clock, o.swept
	c.live, o.live = o.live, 0
	c.counts.shown, o.counts.shown = o.counts.shown, 0
	return true
}
