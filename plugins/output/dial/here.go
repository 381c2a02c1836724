// Addresses of this machine that go: over PPP, by DHCP or with another prefix an interface gets another one. A socket
// keeps the address that it was connected from. Over IPv4 it can then send nothing any more, for ever, and over IPv6 it
// goes on under an address that is nobody's.

package dial

import (
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
}

const (
	// askEvery is how often the kernel is asked.
	askEvery = time.Second
	// goneFor is how long an address has to be gone: one of IPv6 is, too, while it is tried whether another host has it.
	goneFor = 3 * time.Second
)

// Begin is told where a session leaves from.
func (w *Watch) Begin(local netip.Addr) {
	w.gone = time.Time{}
	if local == w.told {
		w.vain = local
	}
	w.told = netip.Addr{}
}

// Stranded reports, about once a second, whether the address of a session has been gone for some time: another one is
// needed.
func (w *Watch) Stranded(local netip.Addr, now time.Time) bool {
	if now.Sub(w.asked) < askEvery {
		return false
	}
	w.asked = now
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

// has reports whether an address is this machine's, where the packets leave: whether a socket can have it. What cannot be
// told is so.
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
