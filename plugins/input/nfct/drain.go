// Ending without a loss: with reliable the kernel keeps the ends that the socket has no room for and
// sends them again. What ended before the daemon was told to stop is awaited.

package nfct

import (
	"errors"
	"os"
	"time"

	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// drain is the wait for what the kernel has still to send.
type drain struct {
	look    dying        // is something left?
	last    dying        // what is left when the time is over
	table   *mmsg.Socket // which of the kernel's entries are alive
	active  bool
	over    bool      // what is left has been counted
	stopped int64     // when the daemon was told to stop, nanoseconds since 1970
	until   time.Time // outputs need the rest of the time
	next    time.Time // when to look at the kernel's list again

	left map[uint64]struct{} // what the list has shown and has not come
}

// drainEvery is how often the kernel's list is looked at, and less often where that takes long.
const drainEvery = 50 * time.Millisecond

func (n *nfct) openDrain() (err error) {
	n.drain = drain{}
	if !n.reliable || n.ends == nil {
		return nil
	}
	d := &n.drain
	for _, s := range []**mmsg.Socket{&d.look.socket, &d.last.socket, &d.table} {
		if *s, err = ctnetlink.Open(n.place.Path); err != nil {
			return err
		}
	}
	return nil
}

func (d *drain) close() (err error) {
	for _, s := range []**mmsg.Socket{&d.look.socket, &d.last.socket, &d.table} {
		if *s != nil {
			err = errors.Join(err, (*s).Close())
			*s = nil
		}
	}
	return err
}

// beginDrain begins to wait, for four fifths of the time that the daemon has for its end.
func (n *nfct) beginDrain(now time.Time) {
	d := &n.drain
	d.active, d.stopped = true, now.UnixNano()
	d.left = map[uint64]struct{}{}
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
	none, err := n.nothingLeft(now.Add(min(drainLook, d.until.Sub(now))))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		d.until = now // nobody tells what is left
		return false
	}
	if none {
		return n.drained(0, nil)
	}
	d.next = time.Now().Add(max(drainEvery, 4*time.Since(now)))
	return false
}

// drainLook is how long a look at the list may take in which nothing is found that is left.
const drainLook = time.Second

// nothingLeft looks at the kernel's list, until the time by, and reports whether it is read to its end
// and shows no connection whose end has not been received. It returns as soon as one is found.
func (n *nfct) nothingLeft(by time.Time) (bool, error) {
	d := &n.drain
	whole := !d.look.reading // an answer that was left in its middle ends early where its place has come
	for {
		done, err := d.look.part(by, n.noteLeft)
		switch {
		case err != nil:
			return false, err
		case done:
			return whole && len(d.left) == 0, nil
		case len(d.left) > 0:
			return false, nil
		}
	}
}

// noteLeft notes a connection of the kernel's list whose end has not been received.
func (n *nfct) noteLeft(f *ctnetlink.Flow) {
	if f.Stop <= n.drain.stopped && n.wanted(f) && !n.ended.Has(n.ended.Fingerprint(f)) {
		n.drain.left[n.ended.Name(f)] = struct{}{}
	}
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

// wanted reports whether the connection passes the filters and is not the daemon's own.
func (n *nfct) wanted(f *ctnetlink.Flow) bool {
	return n.filter.tracks(f) && n.filter.acceptsMark(f.Mark) && !n.isOwn(f)
}
