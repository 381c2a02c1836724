// Reading the kernel's table: a dump runs beside the events, a part at a time, in constant memory.

package nfct

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// purpose is why the table is read. Purposes that wait are served in this order, one dump each.
type purpose uint8

const (
	forStart    purpose = iota // what exists before the first event
	forRecovery                // what events were missed
	forReset                   // counters, zeroing the kernel's
	forQuestion                // counters, for whoever looks at the live connections
	forPoll                    // polling mode
	forReport                  // living connections, at intervals
	forCheck                   // ends that no event tells of
	forDates                   // when living connections had their last packets
	forExit                    // living connections, at the end
	purposes
	idle = purposes
)

// dump is the reading of the table that runs, and those that wait.
type dump struct {
	*ctnetlink.Socket
	why      purpose
	wanted   [purposes]bool
	nextPart time.Time
	failed   bool
	sweeping bool   // all is read; entries that were not found are being reported
	drained  bool   // the ends that were queued when all was read have been handled
	place    uint32 // of the sweep

	began, before int64 // when this dump began, and the one before
	// The kernel fills a part when the one before is read: when that in hand was, and the next.
	filled, filling int64
	observed        int64         // when the last dump began that was read to its end: counters are of then
	cost            time.Duration // of this dump so far, or of the last
	entries         int
}

// busy reports whether a dump runs or waits.
func (d *dump) busy() bool {
	if d.why != idle {
		return true
	}
	for _, w := range d.wanted {
		if w {
			return true
		}
	}
	return false
}

// nextDump begins the first dump that is wanted.
func (n *nfct) nextDump() {
	d := &n.dump
	for why, wanted := range d.wanted {
		if !wanted {
			continue
		}
		d.wanted[why] = false
		if err := n.beginDump(purpose(why)); err != nil {
			n.dumpFailed(err)
			continue
		}
		return
	}
}

// open opens the socket that dumps come by, in place of the one that there may be. It is opened
// before the daemon gives up what it needs to enter another namespace (-u).
func (d *dump) open(namespace string) error {
	s, err := ctnetlink.OpenSocket(namespace)
	if err != nil {
		return err
	}
	if d.Socket != nil {
		d.Socket.Close()
	}
	d.Socket = s
	return nil
}

func (n *nfct) beginDump(why purpose) error {
	typ := uint16(ctnetlink.MsgGet)
	if why == forReset {
		typ = ctnetlink.MsgReset
	}
	d, now := &n.dump, time.Now()
	d.before, d.began, d.filling = d.began, now.UnixNano(), now.UnixNano()
	if err := ctnetlink.Request(d.Socket.Conn, typ, unix.AF_UNSPEC); err != nil {
		return err
	}
	d.why, d.sweeping, d.drained, d.failed = why, false, false, false
	d.cost, d.entries = time.Since(now), 0
	n.timeouts.Look(now)
	if n.table != nil {
		n.table.Round++
	}
	return nil
}

// endDump ends the reading. Where the dump tells what is gone, the sweep follows.
func (n *nfct) endDump() {
	d := &n.dump
	d.Forget()
	if !d.failed {
		d.observed, d.wanted[forQuestion] = d.began, false
		if !n.due.dates.IsZero() { // whatever it was for, it has dated connections, too
			n.due.dates = time.Now().Add(n.datesEvery())
		}
	}
	switch d.why {
	case forRecovery, forPoll, forCheck:
		if !d.failed {
			d.sweeping, d.place = true, 1
			return
		}
	case forReset:
		n.hub.finish(n)
	}
	d.why = idle
}

// dumpStep takes one part of the dump that runs, or a stretch of its sweep, and reports whether it
// did. quiet tells that no end of a connection waits to be read.
func (r *reader) dumpStep(quiet bool) (progress bool) {
	d := &r.in.dump
	switch {
	case d.why == idle:
		r.in.nextDump()
	case d.sweeping:
		d.drained = d.drained || quiet
		if d.drained && r.sweep() {
			d.why, d.sweeping = idle, false
		}
	case !d.Pending() && !r.in.mayRead():
		return false
	default:
		r.dumpPart()
	}
	return true
}

// dumpAhead takes the next part of a running dump, and reports whether ends may now be handled. The
// kernel makes each part when the one before is read. Ends that were received since then may be of
// connections that the waiting part still shows: handled first, the dump would bring them back to
// life.
func (r *reader) dumpAhead() (ready bool) {
	d := &r.in.dump
	if d.why == idle || d.sweeping || d.why == forReset && !d.Pending() && !r.in.hub.ready(r.in) {
		return true
	}
	r.dumpPart()
	return !d.Pending()
}

// dumpPart reads the next part, unless there is one in hand, and handles it.
func (r *reader) dumpPart() {
	d, now := &r.in.dump, time.Now()
	defer func() { d.cost += time.Since(now) }()
	if !d.Pending() {
		d.filled, d.filling = d.filling, now.UnixNano()
		if err := d.Receive(); err != nil { // such as no memory for the next part: the kernel does not go on
			r.in.dumpFailed(errors.Join(err, d.open(r.in.place.Path)))
			r.in.endDump()
			return
		}
		if d.why == forReset && d.Received > 0 {
			r.in.hub.share(r.in, d.Datagram())
		}
	}
	if r.takeDump(d.Socket, d.why) {
		r.in.endDump()
	}
}

// mayRead reports whether it is time for the next part: a dump without hurry is spread out, unless
// somebody waits for the counters, and one that zeroes counters waits for those that share it.
func (n *nfct) mayRead() bool {
	d := &n.dump
	switch {
	case d.why == forReset:
		return n.hub.ready(n)
	case d.why != forReport && d.why != forCheck && d.why != forDates, d.wanted[forQuestion], n.stopping:
		return true
	}
	now := time.Now()
	if now.Before(d.nextPart) {
		return false
	}
	d.nextPart = now.Add(dumpPace)
	return true
}

// dumpPace is the time between parts where there is no hurry: 100 connections or so each.
const dumpPace = time.Millisecond

// takeDump handles the messages of a part as long as there is room for rows, and reports whether
// the dump's end was among them.
func (r *reader) takeDump(k *ctnetlink.Socket, why purpose) (done bool) {
	now := time.Now().UnixNano()
	if k == r.in.dump.Socket {
		now = r.in.dump.filled
	}
	for !r.Full() {
		m, ok := k.Message()
		if !ok {
			return false
		}
		r.in.dump.entries++
		switch {
		case m.Type == unix.NLMSG_DONE:
			return true
		case m.Type == unix.NLMSG_ERROR:
			r.in.dumpFailed(ctnetlink.Errno(m.Body))
			return true
		case m.Type != ctnetlink.MsgNew && m.Type != nlattr.Malformed:
		case m.Type == nlattr.Malformed || !r.in.flow.Decode(&m):
			r.malformedRows++
		case r.in.flow.Status&ctnetlink.StatusDying != 0: // its end has been told, or is about to be
		case r.in.filter.tracks(&r.in.flow) && !r.in.isOwn(&r.in.flow):
			r.dumped(&r.in.flow, why, now)
		}
	}
	return false
}

// dumpFailed gives the dump up: what it did not find says nothing.
func (n *nfct) dumpFailed(err error) {
	n.env.Limited().Error("read the conntrack table", "error", err, "remedy", "run with CAP_NET_ADMIN")
	n.failedDumps.Add(1)
	n.dump.failed = true
}
