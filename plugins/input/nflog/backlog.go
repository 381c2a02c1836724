// Where datagrams lie until they are decoded, and as long as batches name their bytes.

package nflog

import (
	"time"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/mmsg"
)

const (
	// smallMost is the largest datagram that is moved: to copy so much costs less than a page of
	// memory that a batch holds for one packet.
	smallMost = 2 << 10
	// smallBlock holds a batch of them.
	smallBlock = engine.BatchSize * smallMost
)

// backlog is what the last system call brought and no batch has taken yet.
type backlog struct {
	receiver  *mmsg.Receiver
	received  int         // datagrams
	datagrams int         // received, until somebody sets it to 0
	next      int         // datagram to begin after rest
	when      engine.Time // of the system call
	woken     time.Time   // the same, to measure from

	rest  []byte        // messages left of the datagram before next
	block *engine.Block // where they lie

	blocks, smallBlocks *engine.Blocks
	arrived             *engine.Block // what system calls write to: large datagrams, which hold many packets, are decoded there
	small               *engine.Block // where small ones are moved, one behind the other
	used                int           // octets of small
}

// begin reads from another socket; nothing is pending.
func (l *backlog) begin(receiver *mmsg.Receiver) {
	l.receiver, l.received, l.next = receiver, 0, 0
	if l.blocks == nil {
		l.blocks, l.smallBlocks = engine.NewBlocks(slots*slotSize), engine.NewBlocks(smallBlock)
		l.arrived, l.small = l.blocks.Get(), l.smallBlocks.Get()
	}
}

// pending reports whether there is something to decode.
func (l *backlog) pending() bool { return len(l.rest) > 0 || l.next < l.received }

// more reports whether the kernel probably has more for the batch that took the last datagrams.
func (l *backlog) more() bool { return !l.pending() && l.received == slots && l.block == l.small }

// load makes one system call, when all that the last one brought has been taken.
func (l *backlog) load(call func(buf []byte, slot int) (int, error)) (err error) {
	l.arrived = unshared(l.arrived, l.blocks)
	l.next = 0
	l.received, err = call(l.arrived.Data, slotSize)
	l.datagrams += l.received
	l.woken = time.Now()
	l.when = engine.Time(l.woken.UnixNano())
	return err
}

// take makes the next datagram rest. It returns false if that has to lie in another block than the
// rows of a batch that has some.
func (l *backlog) take(begun bool) bool {
	d, from := l.receiver.Datagram(l.next), l.arrived
	if len(d) <= smallMost {
		if from = l.small; !begun && !from.Shared() {
			l.used = 0
		}
		if l.used+len(d) > len(from.Data) {
			if begun {
				return false
			}
			l.small, l.used = unshared(from, l.smallBlocks), 0
			from = l.small
		}
	}
	if begun && from != l.block {
		return false
	}
	if from == l.small {
		at := l.used
		l.used += copy(from.Data[at:], d)
		d = from.Data[at:l.used]
	}
	l.rest, l.block = d, from
	l.next++
	return true
}

// unshared returns the block, or another one in its place if a batch still refers to it.
func unshared(k *engine.Block, from *engine.Blocks) *engine.Block {
	if !k.Shared() {
		return k
	}
	k.Release()
	return from.Get()
}
