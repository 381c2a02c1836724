// Counting what the receive buffer had no room for.

package nfct

import (
	"time"

	"ulogd/engine"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// losses are the counters of events that never arrived.
type losses struct {
	begins, ends *engine.Counter
	resent       *engine.Counter
	overruns     *engine.Counter
	total        int
	outstanding  int // ends that were lost and not given back
}

func (l *losses) open(s *engine.Stats, hash bool) {
	l.ends = s.Lost(
		"destroy_events",
		"ends of connections that the receive buffer had no room for and that no dump gave back",
	)
	if hash {
		// Nothing is reported of them, and a dump finds the connections that began.
		l.begins = s.Counter(
			"missed_new",
			"beginnings and changes of connections that the receive buffer had no room for",
		)
	} else {
		l.begins = s.Lost("new_events", "beginnings and changes of connections that the receive buffer had no room for")
	}
	l.resent = s.Counter("resent", "times that the kernel found no room and kept an event to send it again (reliable)")
	l.overruns = s.Counter("overruns", "times that the receive buffer was full")
}

// overrun is called when the kernel says that events were lost.
func (n *nfct) overrun(k *ctnetlink.Socket) {
	n.losses.overruns.Add(1)
	n.countLosses(k)
}

// countLosses counts the events that a socket lost since it was last looked at, and says so from
// time to time.
func (n *nfct) countLosses(k *ctnetlink.Socket) {
	d := k.NewDrops()
	if d == 0 {
		return
	}
	l := &n.losses
	if n.reliable {
		l.resent.Add(d)
		return
	}
	if k == n.ends {
		l.ends.Add(d)
		l.outstanding += d
	} else {
		l.begins.Add(d)
	}
	if n.table != nil && n.due.recover.IsZero() {
		n.due.recover = time.Now().Add(n.resync)
	}
	l.total += d
	n.env.Limited().
		Warn("conntrack events are being lost: the receive buffer is full", "lost_so_far", l.total, "buffer", k.Granted,
			"remedy",
			"raise netlink_socket_buffer_maxsize, narrow the filters, set reliable = true, or "+
				"give the output a faster receiver")
}

// giveBack takes a connection whose end was missed, and which a dump has shown to be gone, off the
// losses.
func (l *losses) giveBack() {
	if l.outstanding > 0 {
		l.outstanding--
		l.ends.Add(-1)
	}
}
