// What a socket is told before it is bound and connected.

package dial

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// control implements net.Dialer.ControlContext. network is that of the address: tcp4, udp6 ...
func (s *Settings) control(_ context.Context, network, _ string, c syscall.RawConn) (err error) {
	if e := c.Control(func(fd uintptr) { err = s.set(int(fd), network) }); e != nil {
		return e
	}
	return err
}

// set sets the socket's options. Over one of IPv6 no IPv4 is spoken.
func (s *Settings) set(fd int, network string) error {
	if strings.HasPrefix(network, "udp") {
		if err := narrow(fd); err != nil {
			return err
		}
	}
	if s.device != "" {
		if err := unix.BindToDevice(fd, s.device); err != nil {
			return s.deviceError(err)
		}
	}
	level, class, hops, multicast := unix.IPPROTO_IP, unix.IP_TOS, unix.IP_TTL, unix.IP_MULTICAST_TTL
	if strings.HasSuffix(network, "6") {
		level, class, hops, multicast = unix.IPPROTO_IPV6, unix.IPV6_TCLASS, unix.IPV6_UNICAST_HOPS, unix.IPV6_MULTICAST_HOPS
	}
	if s.marked {
		if err := unix.SetsockoptInt(fd, level, class, s.dscp<<2); err != nil { // the two low bits are ECN's (RFC 3168)
			return fmt.Errorf("dscp: %w", err)
		}
	}
	if s.ttl > 0 {
		err := unix.SetsockoptInt(fd, level, hops, int(s.ttl))
		if err == nil && strings.HasPrefix(network, "udp") { // streams have no groups
			err = unix.SetsockoptInt(fd, level, multicast, int(s.ttl))
		}
		if err != nil {
			return fmt.Errorf("ttl: %w", err)
		}
	}
	if s.sourcePort != 0 {
		// A connection that has just ended, one to another collector, and the session that is being replaced,
		// have the port too.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return fmt.Errorf("source_port: %w", err)
		}
	}
	return nil
}

func (s *Settings) deviceError(err error) error {
	remedy := ""
	switch {
	case errors.Is(err, unix.ENODEV):
		remedy = "; correct it, or make the interface: ip link show " + s.device
	case errors.Is(err, unix.EPERM):
		remedy = "; before Linux 5.7 that needs CAP_NET_RAW: start the daemon as root, also with -u"
	}
	return fmt.Errorf("bind_device %s: %w%s", s.device, err, remedy)
}

// mostUnsent is how many octets of datagrams may wait in the kernel, as it counts them, which is with its own
// structures.
const mostUnsent = 96 << 10

// narrow keeps what may wait in the kernel below what it keeps for a neighbour whose link-layer address it is
// asking for (net.ipv4.neigh.default.unres_qlen_bytes, 212992): of more than that it throws the oldest away, and says
// nothing. A socket whose buffer is full takes no more, so that records wait where they are counted. Two sockets may
// ask for one neighbour, and the last write may exceed the buffer by its own length.
func narrow(fd int) error {
	if have, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF); err != nil || have <= mostUnsent {
		return err
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, mostUnsent/2) // the kernel doubles it
}
