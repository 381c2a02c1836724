// Datagrams that do not leave the machine.

package collector

import (
	"bytes"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// While the next hop does not answer for its address (ARP, neighbour discovery) the kernel keeps what
// is sent. When it gives up, after three seconds, it throws that away, and begins anew with the next
// datagram: a collector whose machine is down loses everything, and each write succeeds. So after
// stuckAfter one datagram at a time is tried: it counts as sent when it has left, and is sent again
// where the kernel says that the host cannot be reached, which it does to those who ask (IP_RECVERR,
// ip(7)). Elsewhere such errors are not asked for: routers far away send them, too.
type unsent struct {
	waiting int       // octets in the socket at the last look
	since   time.Time // since when no look found that something had left; zero: the last one did
	held    bool      // nothing leaves: datagrams are tried
	heldAt  time.Time
	trial   []byte    // the one that is being tried; empty: none, what is in the socket was sent before
	emptied time.Time // since when the socket is empty again
	thrown  bool      // the kernel has given up (under mu)
}

const (
	// stuckAfter is how long a datagram may take to leave the machine.
	stuckAfter = time.Second
	// releaseAfter is how long nothing is sent while something waits: longer than the kernel asks by default. Where it
	// was told to ask for longer, the socket's buffer bounds what is sent meanwhile.
	releaseAfter = 5 * time.Second
	// answerAfter is how long what the kernel says of a datagram may come behind its end.
	answerAfter = 500 * time.Millisecond
	// stampedOctets is the longest header, of NetFlow v5: a message that is tried again has another time.
	stampedOctets = 24
)

// leaves returns a [LaterError] where nothing leaves the machine. p is the datagram that is to be sent
// next, nil where none can be tried; it returns the octets of p where they have left meanwhile.
func (u *UDP) leaves(p []byte) (left int, err error) {
	s := &u.unsent
	waiting, thrown := u.look()
	before := s.waiting
	s.waiting = waiting
	if !s.held && (waiting == 0 || waiting < before) {
		s.since = time.Time{}
		return 0, nil
	}
	now := time.Now()
	switch {
	case !s.held:
		if s.since.IsZero() {
			s.since = now
		}
		if now.Sub(s.since) < stuckAfter {
			return 0, nil
		}
		s.held, s.heldAt, s.emptied = true, now, time.Time{}
		u.reportUnreachable(true)
	case thrown:
		s.heldAt, s.emptied = now, time.Time{}
		if p == nil {
			return 0, nil
		}
		s.trial = s.trial[:0]
		if err := u.write(p, 1, len(p)); err == nil {
			s.trial = append(s.trial, p...)
		}
	case waiting > 0 && now.Sub(s.heldAt) < releaseAfter:
		s.emptied = time.Time{}
	case waiting == 0 && s.emptied.IsZero():
		s.emptied = now
	case waiting == 0 && now.Sub(s.emptied) < answerAfter:
	default:
		if same := min(stampedOctets, len(p)); len(p) > 0 && len(p) == len(s.trial) && bytes.Equal(p[same:], s.trial[same:]) {
			left = len(p)
		}
		s.held, s.trial, s.since = false, s.trial[:0], time.Time{}
		u.reportUnreachable(false)
		return left, nil
	}
	return 0, &LaterError{fmt.Errorf(
		"send to %s: nothing has left this machine for %v: does the next hop answer (ip neigh)? What was sent since then is lost if it does not soon",
		u.conn.RemoteAddr(), now.Sub(s.since).Round(100*time.Millisecond),
	)}
}

// look returns how many octets wait in the kernel, as it counts them, and whether it has given up
// since the last look.
func (u *UDP) look() (waiting int, thrown bool) {
	if u.raw.Control(u.ask) != nil {
		return 0, false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	thrown, u.unsent.thrown = u.unsent.thrown, false
	return u.waiting, thrown
}

// takeError clears the socket's error, and notes what it says.
func (u *UDP) takeError(fd int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	code, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch unix.Errno(code) {
	case unix.ECONNREFUSED:
		u.refuse()
	case unix.EHOSTUNREACH, unix.ENETUNREACH:
		u.unsent.thrown = true
	}
}

// reportUnreachable asks the kernel for errors, or no longer.
func (u *UDP) reportUnreachable(on bool) {
	level, option, value := unix.IPPROTO_IP, unix.IP_RECVERR, 0
	if u.Ends().Remote.Addr().Is6() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	if on {
		value = 1
	}
	_ = u.raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), level, option, value) })
}
