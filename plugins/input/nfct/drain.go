// Ending without a loss that nobody counts: with reliable the kernel keeps the ends that the socket
// has no room for and sends them again. What ended before the daemon was told to stop is awaited;
// what is left when the time is over is counted from the kernel's own list.

package nfct

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// drain is the wait for what the kernel has still to send.
type drain struct {
	socket  *mmsg.Socket
	active  bool
	stopped int64     // when the daemon was told to stop, nanoseconds since 1970
	until   time.Time // outputs need the rest of the time
	next    time.Time // when to look at the kernel's list again
	left    map[uint64]struct{}
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
	d.until = now.Add(time.Until(n.env.Deadline()) * 4 / 5)
}

// drainStep looks, now and then, whether something is left, and reports whether the wait is over
// and all that the sockets have can be the last. quiet tells that they have nothing now.
func (n *nfct) drainStep(quiet bool) (over bool) {
	d := &n.drain
	switch now := time.Now(); {
	case !d.active || d.left != nil:
		return quiet
	case now.After(d.until):
	case !quiet || now.Before(d.next):
		return false
	}
	began := time.Now()
	by := d.until
	if !began.Before(by) { // this is the last look; outputs need time, too
		by = began.Add(time.Until(n.env.Deadline()) / 2)
	}
	left, err := n.dying(by)
	if len(left) > 0 && err == nil && began.Before(d.until) {
		d.next = time.Now().Add(max(drainEvery, 4*time.Since(began)))
		return false
	}
	d.left = left
	if err := n.ends.Leave(); err != nil {
		n.env.Log.Warn("leave the conntrack events", "error", err)
	}
	n.losses.ends.Add(len(left))
	const remedy = "raise shutdown_timeout or netlink_socket_buffer_maxsize, or give the output a faster receiver"
	switch {
	case err != nil: // its socket cannot be asked again: the rest of an answer may come yet
		n.env.Log.Error("the kernel's list of connections that have ended could not be read to its end; "+
			"what it keeps beyond is lost and not counted", "error", err, "lost", len(left), "remedy", remedy)
	case len(left) > 0:
		n.env.Log.Error("the shutdown timeout ended before the kernel had sent all ends of connections; "+
			"those left are counted as lost", "lost", len(left), "remedy", remedy)
	}
	return false
}

// arrived notes an end that was counted as lost, and came after all.
func (d *drain) arrived(n *nfct, f *ctnetlink.Flow) {
	if len(d.left) == 0 {
		return
	}
	key := n.ended.Name(f)
	if _, counted := d.left[key]; counted {
		delete(d.left, key)
		n.losses.ends.Add(-1)
	}
}

// dying returns the connections that had ended when the daemon was told to stop, and whose ends
// have not been received. It stops at the time by.
func (n *nfct) dying(by time.Time) (map[uint64]struct{}, error) {
	left := map[uint64]struct{}{}
	var f ctnetlink.Flow
	err := ctnetlink.Dump(n.drain.socket, ctnetlink.MsgGetDying, unix.AF_UNSPEC, by, func(m *nlattr.Message) {
		if f.Decode(m) && f.Stop <= n.drain.stopped && n.wanted(&f) && !n.ended.Has(n.ended.Fingerprint(&f)) {
			left[n.ended.Name(&f)] = struct{}{}
		}
	},
	)
	return left, err
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
