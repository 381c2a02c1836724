// Addresses of this machine that go: over PPP, by DHCP or with another prefix an interface gets another one. A socket
// keeps the address that it was connected from. Over IPv4 it can then send nothing any more, for ever, and over IPv6 it
// goes on under an address that is nobody's. So it is with an interface that is made anew: the socket belongs to the
// one that is gone.

package dial

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Watch looks now and then whether sessions leave from an address that is this machine's. It is used from one
// goroutine at a time.
type Watch struct {
	Settings *Settings // the sessions'

	asked time.Time
	gone  time.Time  // since when the address is not this machine's; zero: it is
	told  netip.Addr // Stranded was true of it
	vain  netip.Addr // another session began there all the same: it is none of ours to judge
	index int        // of the interface that the session belongs to; 0: to none
}

const (
	// askEvery is how often the kernel is asked.
	askEvery = time.Second
	// goneFor is how long an address has to be gone: one of IPv6 is, too, while it is tried whether another host has
	// it.
	goneFor = 3 * time.Second
)

// Begin is told where a session leaves from.
func (w *Watch) Begin(local netip.Addr) {
	w.gone = time.Time{}
	if local == w.told {
		w.vain = local
	}
	w.told, w.index = netip.Addr{}, w.indexOf(local)
}

// indexOf returns the index that the interface has now which sessions from an address are bound to; 0 if there is none.
func (w *Watch) indexOf(local netip.Addr) int {
	name := cmp.Or(w.Settings.device, local.Zone())
	if name == "" {
		return 0
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0
	}
	return i.Index
}

// Stranded reports, about once a second, whether the address of a session has been gone for some time, or its interface
// is another one: a new session is needed.
func (w *Watch) Stranded(local netip.Addr, now time.Time) bool {
	if now.Sub(w.asked) < askEvery {
		return false
	}
	w.asked = now
	if i := w.indexOf(local); i != w.index && i != 0 {
		return true
	}
	switch {
	case local == w.vain || w.Settings.has(local):
		w.gone = time.Time{}
	case w.gone.IsZero():
		w.gone = now
	case now.Sub(w.gone) >= goneFor:
		w.told = local
		return true
	}
	return false
}

// has reports whether an address is this machine's, where the packets leave: whether a socket can have it. What cannot
// be told is so.
func (s *Settings) has(a netip.Addr) bool {
	l := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error {
		return s.control(context.Background(), network, address, c)
	}}
	conn, err := l.ListenPacket(context.Background(), "udp", netip.AddrPortFrom(a, 0).String())
	if err == nil {
		conn.Close()
		return true
	}
	return !errors.Is(err, unix.EADDRNOTAVAIL) && a.Zone() == "" // the interface of a zone may be another now
}
