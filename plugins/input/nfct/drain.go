// Ending without a loss that nobody counts: with reliable the kernel keeps the ends that the socket
// has no room for and sends them again. What ended before the daemon was told to stop is awaited;
// what is left when the time is over is counted from the kernel's own list.

package nfct

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// drain is the wait for what the kernel has still to send.
type drain struct {
	socket  *mmsg.Socket
	answer  *ctnetlink.Answer
	active  bool
	over    bool      // what is left has been counted
	stopped int64     // when the daemon was told to stop, nanoseconds since 1970
	until   time.Time // outputs need the rest of the time
	next    time.Time // when to look at the kernel's list again

	// The list is read a part at a time: for each the kernel goes through it from its beginning, and
	// nobody else gets at it meanwhile. A long one read at once would take minutes, in which the
	// kernel sends nothing.
	reading bool
	left    map[uint64]struct{} // what the list has shown and has not come
}

// drainEvery is how often the kernel's list is looked at, and less often where that takes long.
const drainEvery = 50 * time.Millisecond

func (n *nfct) openDrain() (err error) {
	n.drain = drain{}
	if n.reliable && n.ends != nil {
		n.drain.socket, err = ctnetlink.Open(n.place.Path)
	}
	return err
}

// beginDrain begins to wait, for four fifths of the time that the daemon has for its end.
func (n *nfct) beginDrain(now time.Time) {
	d := &n.drain
	d.active, d.stopped = true, now.UnixNano()
	d.answer, d.left = ctnetlink.NewAnswer(d.socket), map[uint64]struct{}{}
	d.until = now.Add(time.Until(n.env.Deadline()) * 4 / 5)
}

// drainStep looks, now and then, whether something is left, and reports whether the wait is over
// and all that the sockets have can be the last. quiet tells that they have nothing now.
func (n *nfct) drainStep(quiet bool) (over bool) {
	d := &n.drain
	now := time.Now()
	switch {
	case !d.active || d.over:
		return quiet
	case now.After(d.until):
		return n.endDrain(now)
	case !quiet || now.Before(d.next):
		return false
	}
	none, err := n.dying(now.Add(min(drainLook, d.until.Sub(now))), true)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		d.until = now // nobody tells what is left
		return false
	}
	if none {
		return n.drained(nil)
	}
	d.next = time.Now().Add(max(drainEvery, 4*time.Since(now)))
	return false
}

// drainLook is how long a look at the list may take in which nothing is found that is left.
const drainLook = time.Second

// endDrain counts what is left when the time is over. Outputs need time, too: it takes half of the
// rest at the most.
func (n *nfct) endDrain(now time.Time) (over bool) {
	by := now.Add(time.Until(n.env.Deadline()) / 2)
	_, err := n.dying(by, false)
	if err == nil { // that may have begun in the middle, and while ends were still being read
		_, err = n.dying(by, false)
	}
	return n.drained(err)
}

// drained ends the wait. The error is of reading the list.
func (n *nfct) drained(err error) (over bool) {
	d := &n.drain
	d.over = true
	if err := n.ends.Leave(); err != nil {
		n.env.Log.Warn("leave the conntrack events", "error", err)
	}
	n.losses.ends.Add(len(d.left))
	const remedy = "raise shutdown_timeout or netlink_socket_buffer_maxsize, or give the output a faster receiver"
	switch {
	case err != nil:
		n.env.Log.Error("the kernel's list of connections that have ended could not be read to its end; "+
			"what it keeps beyond is lost and not counted", "error", err, "lost", len(d.left), "remedy", remedy)
	case len(d.left) > 0:
		n.env.Log.Error("the shutdown timeout ended before the kernel had sent all ends of connections; "+
			"those left are counted as lost", "lost", len(d.left), "remedy", remedy)
	}
	return false
}

// arrived notes that an end has come that the list has shown.
func (d *drain) arrived(n *nfct, f *ctnetlink.Flow) {
	if len(d.left) == 0 {
		return
	}
	key := n.ended.Name(f)
	if _, shown := d.left[key]; shown {
		delete(d.left, key)
		if d.over { // it was counted as lost, and came after all
			n.losses.ends.Add(-1)
		}
	}
}

// dying reads the kernel's list, until the time by, and notes the connections that had ended when the
// daemon was told to stop and whose ends have not been received. It reports whether the list is read
// to its end and none is left; with first it returns as soon as one is found.
func (n *nfct) dying(by time.Time, first bool) (none bool, err error) {
	d := &n.drain
	var f ctnetlink.Flow
	note := func(m *nlattr.Message) {
		if f.Decode(m) && f.Stop <= d.stopped && n.wanted(&f) && !n.ended.Has(n.ended.Fingerprint(&f)) {
			d.left[n.ended.Name(&f)] = struct{}{}
		}
	}
	whole := !d.reading // an answer that was left in its middle ends early where its place has come
	if !d.reading {
		if err := ctnetlink.Request(d.socket, ctnetlink.MsgGetDying, unix.AF_UNSPEC); err != nil {
			return false, err
		}
		d.reading = true
	}
	for {
		done, err := d.answer.Part(by, note)
		switch {
		case err != nil:
			return false, err
		case done:
			d.reading = false
			return whole && len(d.left) == 0, nil
		case first && len(d.left) > 0:
			return false, nil
		}
	}
}

// wanted reports whether the connection passes the filters and is not the daemon's own.
func (n *nfct) wanted(f *ctnetlink.Flow) bool {
	return n.filter.tracks(f) && n.filter.acceptsMark(f.Mark) && !n.isOwn(f)
}

// countUnread counts the ends that the sockets hold and that nobody will read any more.
func (n *nfct) countUnread() {
	k, f := n.ends, &n.flow
	if !n.stopping || k == nil {
		return
	}
	for unread := 0; ; {
		if !k.Pending() {
			if err := k.Receive(); err != nil && !errors.Is(err, mmsg.ErrOverrun) || !k.Pending() {
				n.losses.ends.Add(unread)
				return
			}
		}
		m, ok := k.Message()
		if ok && m.Type == ctnetlink.MsgDelete && f.Decode(&m) && n.wanted(f) {
			n.drain.arrived(n, f) // it is counted here
			unread++
		}
	}
}
