// Receiving: many datagrams with one system call, each with one packet or many, decoded until the
// batch is full.

package nflog

import (
	"errors"
	"io"
	"time"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/nlattr"
)

const (
	// kernelBuffer is how much the kernel may gather in one datagram (NFULA_CFG_NLBUFSIZ). With its
	// bookkeeping it fits 32 KiB of kernel memory, which the kernel's allocator has at hand; the
	// largest, 128 KiB, costs it 5 % of the packets that it can log one by one, and us 10 % of the
	// time for those that come 64 at a time (measured).
	kernelBuffer = 32<<10 - 1024
	// slotSize holds the largest datagram: for a packet of 64 KiB the kernel takes 128 KiB and may
	// fill them.
	slotSize = 128<<10 + 1088
	// slots is how many datagrams a system call brings at most: more save nothing measurable.
	slots = 64

	// defaultBuffer is the receive buffer where none is configured: a burst of 50,000 packets or
	// so.
	defaultBuffer = 8 << 20

	// wakeEvery is the least time between two system calls that find little.
	wakeEvery = 5 * time.Millisecond
)

// Read decodes the packets that are there into b, and waits for some if there are none.
func (n *nflog) Read(b *engine.Batch, deadline time.Time) (err error) {
	if n.socket == nil { // the namespace is away
		if n.stopping {
			return io.EOF
		}
		time.Sleep(time.Until(deadline))
		return nil
	}
	if !n.pending() {
		if err := n.wait(deadline); err != nil || !n.pending() {
			return err
		}
	}
	f := filling{b: b, arrays: n.columns.of(b)}
	for n.fill(&f); f.rows < engine.BatchSize && n.more() && err == nil; n.fill(&f) {
		err = n.receive(n.receiver.TryReceive)
	}
	b.Fill(f.rows)
	n.drops.packets += f.rows
	if f.bad > 0 {
		n.malformed.Rows(b, f.bad)
	}
	return err
}

// wait is receive that waits for packets. When the group is unbound and nothing is left it returns
// io.EOF or, where only the namespace is gone, closes the socket.
func (n *nflog) wait(deadline time.Time) error {
	if !n.stopping && !n.leaving {
		n.gather()
		n.socket.SetReadDeadline(deadline)
		return n.receive(n.receiver.WaitReceive)
	}
	err := n.receive(n.receiver.TryReceive)
	if err != nil || n.received > 0 || n.drops.losing {
		return err
	}
	n.lookForDrops() // the last ones
	if n.pending() {
		return nil
	}
	if n.leaving {
		err = n.Close()
	}
	if n.stopping {
		return io.EOF
	}
	return err
}

// receive makes a system call and deals with losses.
func (n *nflog) receive(call func(buf []byte, slot int) (int, error)) error {
	err := n.load(call)
	if errors.Is(err, mmsg.ErrOverrun) {
		n.overrun()
		return nil
	}
	return err
}

// gather sleeps a little where the last call brought less than it could and was a moment ago. To be
// woken for each of the packets that a rule hands over one by one costs more than all else that is
// done for it.
func (n *nflog) gather() {
	if wait := wakeEvery - time.Since(n.woken); wait > 0 && n.received < slots {
		time.Sleep(wait)
	}
}

// filling is a batch with the rows that it has so far.
type filling struct {
	b *engine.Batch
	arrays
	rows, bad int
}

// fill decodes messages into rows until the batch is full or nothing is left for it.
func (n *nflog) fill(f *filling) {
	for f.rows < engine.BatchSize {
		if len(n.rest) == 0 {
			if n.next == n.received || !n.take(f.rows > 0) {
				return
			}
			continue
		}
		if f.rows == 0 {
			f.b.SetData(n.block)
		}
		var m nlattr.Message
		m, n.rest = nlattr.NextMessage(n.rest)
		switch m.Type {
		case msgPacket:
			if n.packet(&f.arrays, engine.Row(f.rows), m.Body, n.when) {
				f.rows++
			} else {
				f.bad++
			}
		case nlattr.Malformed:
			f.bad++
		}
	}
}

// overrun deals with a full receive buffer. How many packets that cost shows in the numbers of
// those that follow.
func (n *nflog) overrun() {
	n.overruns.Add(1)
	n.drops.losing = true
	if most := int(n.bufferMax); n.granted < most {
		n.growTo(min(2*n.granted, most))
	}
	n.alarm()
}

// alarm says that packets are being lost.
func (n *nflog) alarm() {
	n.env.Limited().Warn("packets are being lost: the receive buffer is full",
		"group", uint16(n.group), "buffer", n.granted, "lost_so_far", n.lost.Load()+n.unnumbered.Load(),
		"remedy", "raise netlink_socket_buffer_size or netlink_socket_buffer_maxsize, log with a snaplen, or log fewer packets")
}

// growTo asks for a receive buffer and notes what was granted.
func (n *nflog) growTo(octets int) {
	var err error
	if n.granted, err = n.socket.SetReadBuffer(octets); err != nil {
		n.env.Log.Warn("cannot set the receive buffer", "octets", octets, "error", err)
	}
	if n.granted < octets {
		n.env.Log.Warn("the receive buffer is smaller than asked for", "asked", octets, "granted", n.granted, "remedy", "run with CAP_NET_ADMIN, or raise net.core.rmem_max")
		n.bufferMax = 0 // asking again at each overrun would change nothing
	}
}
