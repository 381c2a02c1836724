// What nobody will read any more when the time is over, counted to the last end.

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

// endDrain counts what is left when the time is over. Outputs need time, too: it takes half of the
// rest at the most.
func (n *nfct) endDrain(now time.Time) (over bool) {
	d := &n.drain
	by := now.Add(time.Until(n.env.Deadline()) / 2)
	// A buffer that is full stays so: what is counted here cannot come any more.
	if _, err := n.ends.Conn.SetReadBuffer(0); err != nil {
		n.env.Log.Warn("shrink the receive buffer of the conntrack events", "error", err)
	}
	clear(d.left)
	rest, err := n.countLeft(now, by)
	return n.drained(rest, err)
}

// countLeft reads the kernel's list. Where that takes too long it returns how many beyond what it
// noted are left: the kernel counts all its entries, and those that are not in its table any more are
// in the list. Whether those that were not seen pass the filters is taken from those that were.
func (n *nfct) countLeft(now, by time.Time) (rest int, err error) {
	d := &n.drain
	ended, difference := n.inList(now.Add(by.Sub(now) / 2))
	seen, newer := 0, 0
	for done := false; !done; {
		done, err = d.last.part(by, func(f *ctnetlink.Flow) {
			seen++
			if f.Stop > d.stopped {
				newer++
			}
			n.noteLeft(f)
		})
		if err != nil {
			break
		}
	}
	switch older := seen - newer; {
	case err == nil:
		return 0, nil
	case difference != nil || !errors.Is(err, os.ErrDeadlineExceeded):
		return 0, errors.Join(err, difference)
	case older == 0:
		return max(ended-seen, 0), nil
	default:
		return max(ended-seen, 0) * len(d.left) / older, nil
	}
}

// inList returns how long the kernel's list is: all its entries less those in its table.
func (n *nfct) inList(by time.Time) (int, error) {
	alive := 0
	count := func(m *nlattr.Message) { alive++ }
	if err := ctnetlink.Dump(n.drain.table, ctnetlink.MsgGet, unix.AF_UNSPEC, by, count); err != nil {
		return 0, err
	}
	all, err := ctnetlink.Entries(n.drain.table, by)
	return all - alive, err
}

// drained ends the wait: rest are left beyond what has been noted. The error is of reading the list.
func (n *nfct) drained(rest int, err error) (over bool) {
	d := &n.drain
	d.over = true
	if err := n.ends.Leave(); err != nil {
		n.env.Log.Warn("leave the conntrack events", "error", err)
	}
	lost := len(d.left) + rest
	n.losses.ends.Add(lost)
	const remedy = "raise shutdown_timeout or netlink_socket_buffer_maxsize, or give the output a faster receiver"
	switch {
	case err != nil:
		n.env.Log.Error("the kernel's list of connections that have ended could not be read to its end; "+
			"what it keeps beyond is lost and not counted", "error", err, "lost", lost, "remedy", remedy)
	case lost > 0:
		n.env.Log.Error("the shutdown timeout ended before the kernel had sent all ends of connections; "+
			"those left are counted as lost", "lost", lost, "remedy", remedy)
	}
	return false
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
