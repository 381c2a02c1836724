// Losses that no later packet tells of. The number of lost packets shows in the numbers of those
// that follow; after the last overrun of a flood none may follow. The socket's own count tells
// then, of datagrams: how many packets each had is taken from those that were read.

package nflog

import "math"

// drops is what the socket counts: datagrams that it had no room for.
type drops struct {
	told    uint32 // up to this count the packets' numbers have told of them
	empty   uint32 // count at a moment when the socket was empty: packets that come later have numbers beyond these losses
	losing  bool   // the socket has not been empty since an overrun
	missing int64  // packets that numbers told of since told was set, and that were lost since then
	owed    int64  // packets that were lost until told was set: the next number tells of them
	packets int    // read, like the backlog's datagrams, since then
	before  int64  // estimates of namespaces that are no more, which nothing will tell of
}

// load makes a system call and notes what it says of losses.
func (n *nflog) load(call func(buf []byte, slot int) (int, error)) error {
	d := &n.drops
	count := d.empty
	if d.losing {
		count = n.dropCount()
	}
	err := n.backlog.load(call)
	if n.received > 0 && d.told != d.empty {
		n.told()
	}
	// What is lost while the socket is being emptied may lie on either side of that moment: then a later one counts.
	if err == nil && n.received < slots && (!d.losing || n.dropCount() == count) {
		d.empty, d.losing = count, false
	}
	return err
}

// dropCount returns the socket's count. Kernels before 4.6 have none: then nothing but the packets'
// numbers tells of losses.
func (n *nflog) dropCount() uint32 {
	count, err := n.receiver.Drops()
	if err != nil {
		return n.drops.empty
	}
	return count
}

// lookForDrops estimates what no packet has told of, when the socket is empty. It reads the socket,
// if all that came before has been taken.
func (n *nflog) lookForDrops() {
	if n.socket == nil || n.pending() {
		return
	}
	d := &n.drops
	d.losing = true // so that the count is read
	if err := n.receive(n.receiver.TryReceive); err != nil || n.received > 0 || d.losing {
		return // an error comes again in Read
	}
	owed := d.empty - d.told
	if owed == 0 {
		n.datagrams, d.packets = 0, 0
		return
	}
	n.unnumbered.Set(d.before + max(0, int64(float64(owed)*n.each()+0.5)-d.missing))
	n.alarm()
}

// each is how many packets a datagram has had.
func (n *nflog) each() float64 {
	if d := &n.drops; d.packets > n.datagrams && n.datagrams > 0 {
		return float64(d.packets) / float64(n.datagrams)
	}
	return 1
}

// number takes up that the number of a packet tells of others that are missing before it.
func (d *drops) number(missing int64) {
	d.missing += max(0, missing-d.owed)
	d.owed = 0
}

// told is called when packets came behind a moment when the socket was empty: by their numbers lost
// counts all that went before.
func (n *nflog) told() {
	d := &n.drops
	n.unnumbered.Set(d.before)
	if d.owed = int64(d.empty-d.told) - d.missing; n.each() > 1 {
		d.owed = math.MaxInt64 // an estimate of so many would be too coarse beside the few that came to it since
	}
	d.told, d.missing, d.packets, n.datagrams = d.empty, 0, 0, n.received
}
