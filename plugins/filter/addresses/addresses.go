// Package addresses binds the IP addresses that a record can have, for filters that give each of
// them again in another form.
package addresses

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// from are the addresses in ulogd2's order.
var from = [...]engine.Key[engine.Addr]{
	key.IPSaddr, key.IPDaddr, key.OrigSaddr, key.OrigDaddr, key.ReplySaddr, key.ReplyDaddr, key.ARPSaddr, key.ARPDaddr,
}

const (
	replyDaddr = 5
	arpSaddr   = 6
)

// Keys are what a filter gives for the addresses: source and destination of the packet, of a flow's
// original and reply direction, and of ARP.
type Keys[T any] [len(from)]engine.Key[T]

// A column is an address and what is given for it, which a record has if it has the address.
type column[T any] struct {
	from engine.Col[engine.Addr]
	to   engine.Col[T]
}

// Gaps are what ulogd2 2.0.8 leaves out.
type Gaps struct {
	ARP        bool // it has no such keys: they are extra
	ReplyDaddr bool // it has the key and never sets it
}

// A Stage gives each address of a record again. It is the stage of a filter that does nothing else.
type Stage[T any] struct {
	family  engine.Family
	columns []column[T]
	convert func(b *engine.Batch, a engine.Addr, is6 bool) T
}

// Bind binds all keys. The stage calls convert for each address that a record has, where somebody reads what is given
// for it.
func Bind[T any](p *engine.Binder, to Keys[T], gaps Gaps, convert func(*engine.Batch, engine.Addr, bool) T) *Stage[T] {
	s := &Stage[T]{family: p.Family(), convert: convert}
	for i, k := range to {
		c := column[T]{from: engine.Want(p, from[i])}
		group, give := engine.GroupOf(p, c.from), engine.Give[T]
		if gaps.ARP && i >= arpSaddr {
			give = engine.GiveExtra[T]
		}
		unset := gaps.ReplyDaddr && i == replyDaddr
		if unset {
			group = p.Group()
		}
		c.to = give(p, group, k)
		if c.from.Given() && !unset {
			s.columns = append(s.columns, c)
		}
	}
	return s
}

// Consume implements engine.Stage.
func (s *Stage[T]) Consume(b *engine.Batch) {
	have := b.Have()
	for _, c := range s.columns {
		if !c.to.Wanted() {
			continue
		}
		from, to, m := c.from.Of(b), c.to.Of(b), c.from.Mask()
		for _, r := range b.Rows() {
			if have[r]&m != 0 {
				to[r] = s.convert(b, from[r], s.family.Is6(b, r))
			}
		}
	}
}
