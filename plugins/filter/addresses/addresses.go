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

// A Column is an address and what is given for it, which a record has if it has the address.
type Column[T any] struct {
	From engine.Col[engine.Addr]
	To   engine.Col[T]
}

// Gaps are what ulogd2 2.0.8 leaves out.
type Gaps struct {
	ARP        bool // it has no such keys: they are extra
	ReplyDaddr bool // it has the key and never sets it
}

// Bind binds all keys and returns a column for each address that somebody gives.
func Bind[T any](p *engine.Binder, to Keys[T], gaps Gaps) (columns []Column[T]) {
	for i, k := range to {
		c := Column[T]{From: engine.Want(p, from[i])}
		group, give := engine.GroupOf(p, c.From), engine.Give[T]
		if gaps.ARP && i >= arpSaddr {
			give = engine.GiveExtra[T]
		}
		unset := gaps.ReplyDaddr && i == replyDaddr
		if unset {
			group = p.Group()
		}
		c.To = give(p, group, k)
		if c.From.Given() && !unset {
			columns = append(columns, c)
		}
	}
	return columns
}
