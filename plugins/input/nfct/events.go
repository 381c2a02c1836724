// Reading what the sockets have: in which order, and how often.

package nfct

import (
	"errors"
	"io"
	"time"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// Read turns the messages that are there into rows, and waits for some if there are none.
func (n *nfct) Read(b *engine.Batch, deadline time.Time) error {
	if !n.listening {
		if n.stopping {
			return io.EOF
		}
		time.Sleep(time.Until(deadline))
		return nil
	}
	n.own = n.own[:0]
	if n.excludeSelf {
		n.own = n.env.Own.Tuples()
	}
	if n.drain.active && !n.drain.over && time.Now().After(n.drain.until) {
		n.drainStep(false)
	}
	r := reader{in: n, Filler: n.rows.Fill(b)}
	err := n.read(&r, deadline)
	r.finish()
	return err
}

func (n *nfct) read(r *reader, deadline time.Time) error {
	for range maxRounds {
		quiet, err := n.round(r)
		if err == nil && !r.Full() {
			r.background(&quiet)
		}
		switch {
		case err != nil:
			return err
		case r.Full(), r.Count > 0 && quiet:
			return nil
		case n.stopping && !n.dump.busy() && n.drainStep(quiet):
			n.Tick(time.Now()) // the last losses
			if !n.dump.busy() {
				return io.EOF
			}
		case !quiet:
		case n.leaving && !n.dump.busy():
			return n.shut()
		default:
			ready, err := n.wait(deadline)
			if err != nil || !ready && (!n.dump.busy() || !time.Now().Before(deadline)) {
				return err
			}
		}
	}
	return nil
}

// maxRounds bounds how long Read goes on while events make no rows.
const maxRounds = 64

// background reads the table, if somebody wants it, and what other instances have read of it. quiet
// becomes false where more is there at once.
func (r *reader) background(quiet *bool) {
	if !r.in.shared.Pending() {
		select {
		case part := <-r.in.member.parts:
			r.in.shared.Feed(part)
		default:
		}
	}
	if r.in.shared.Pending() {
		r.takeDump(&r.in.shared, forReset)
		*quiet = false
	}
	if r.Full() || !r.in.dump.busy() {
		return
	}
	progress := r.dumpStep(*quiet)
	*quiet = *quiet && !progress
}

// round takes what is there once. The order matters: a connection's end must not be seen before its
// beginning. So ends are received first, then all beginnings that may have been there by then are
// handled, then the part of a dump that was made before, then the ends.
func (n *nfct) round(r *reader) (quiet bool, err error) {
	n.pace()
	if n.ends != nil && !n.ends.Pending() {
		if err := n.receive(n.ends); err != nil {
			return false, err
		}
		if n.begins != nil && n.ends.Pending() {
			n.before = n.begins.Granted / leastMessage
		}
	}
	quiet = true
	if n.begins != nil {
		if err := n.receive(n.begins); err != nil {
			return false, err
		}
		if n.begins.Pending() {
			quiet = false
			n.before -= r.take(n.begins)
		} else {
			n.before = 0
		}
	}
	if n.ends != nil && n.ends.Pending() && n.before <= 0 {
		quiet = false
		if !r.dumpAhead() {
			return false, nil
		}
		r.take(n.ends)
	}
	return quiet && (n.ends == nil || !n.ends.Pending()), nil
}

// leastMessage is what an event takes of the receive buffer at least: its skb's bookkeeping and 512
// octets of data.
const leastMessage = 512

// pace lets events gather where the last round brought few: in a stream of them a system call for
// each handful costs more than all that is done with it.
func (n *nfct) pace() {
	if n.few && !n.many && n.gather == longestGather && !n.stopping && !n.dump.busy() {
		time.Sleep(n.gather)
	}
	n.few, n.many = false, false
}

// receive reads from a socket; an overrun is ordinary.
func (n *nfct) receive(k *ctnetlink.Socket) error {
	fresh := !k.Pending()
	err := k.Receive()
	if fresh {
		n.few = n.few || k.Received > 0 && k.Received < mmsg.Most
		n.many = n.many || k.Received == mmsg.Most
	}
	if errors.Is(err, mmsg.ErrOverrun) {
		n.overrun(k)
		return nil
	}
	return err
}

// wait waits until a socket is readable and reports whether one is. In a stream of events each
// would wake the daemon by itself, which costs more than all the rest; then it lets some gather.
func (n *nfct) wait(deadline time.Time) (bool, error) {
	if soon := time.Now().Add(dumpPace); n.dump.busy() && soon.Before(deadline) {
		deadline = soon
	}
	ready, err := ctnetlink.Wait(deadline, n.begins, n.ends)
	if err != nil || !ready {
		return false, err
	}
	now := time.Now()
	if now.Sub(n.woken) < stream {
		time.Sleep(n.gather)
		now = time.Now()
	}
	n.woken = now
	return true, nil
}

// Wake-ups closer than stream are one stream; longestGather is how long events then gather, less
// where the buffer might be full by then: the kernel makes less than one event a microsecond, each
// taking mostMessage octets of the buffer at most.
const (
	stream        = 10 * time.Millisecond
	longestGather = 2 * time.Millisecond
	mostMessage   = 1536
)
