// Interfaces that are removed and made again, as those of ppp, WireGuard and virtual machines are:
// how they are found.

package pcap

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// follower tells when interfaces of a network namespace change. It is opened when the daemon may
// still do so, and takes no messages until it is asked to.
type follower struct{ fd int }

func openFollower() (*follower, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("follow interfaces: %w", err)
	}
	// What the kernel tells all comes from address 0, and does not go to a socket without an address.
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("follow interfaces: %w", err)
	}
	return &follower{fd}, nil
}

// listen makes it tell, or tell no more.
func (f *follower) listen(on bool) error {
	option := unix.NETLINK_DROP_MEMBERSHIP
	if on {
		option = unix.NETLINK_ADD_MEMBERSHIP
	}
	if err := unix.SetsockoptInt(f.fd, unix.SOL_NETLINK, option, unix.RTNLGRP_LINK); err != nil {
		return fmt.Errorf("follow interfaces: %w", err)
	}
	return nil
}

// drain leaves out what it tells: that something changed is enough, the kernel is then asked. An
// overrun is a change, too.
func (f *follower) drain() {
	var buf [8192]byte
	for {
		if _, err := unix.Read(f.fd, buf[:]); err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func (f *follower) close() {
	if f != nil {
		unix.Close(f.fd)
	}
}

// anyInterface stands for all interfaces of a namespace, those to come included: index 0 to the
// kernel.
const anyInterface = "any"

// found is an interface that is there.
type found struct {
	index    int
	hardware uint16 // ARPHRD
}

// cooked reports whether its packets are taken without their link header, for which the kernel
// tells what that said.
func (f found) cooked() bool { return f.hardware != arphrdEther && f.hardware != arphrdLoopback }

// lookup asks for an interface of the socket's network namespace; the error is ENODEV if there is
// none.
func lookup(fd int, name string) (f found, err error) {
	if name == anyInterface {
		return found{index: 0, hardware: arphrdVoid}, nil
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return f, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return f, err
	}
	f.index = int(request.Uint32())
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFHWADDR, request); err != nil {
		return f, err
	}
	f.hardware = request.Uint16()
	return f, nil
}

// find looks an interface up through a socket for packets, which shows whether one may be had.
func find(name string) (found, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EPERM) {
		return found{}, fmt.Errorf("capture from %s: %w (give the process CAP_NET_RAW)", name, err)
	} else if err != nil {
		return found{}, fmt.Errorf("capture from %s: %w", name, err)
	}
	defer unix.Close(fd)
	f, err := lookup(fd, name)
	switch {
	case errors.Is(err, unix.ENODEV):
		return f, fmt.Errorf("capture from %s: %w: there is no such interface; with wait = true it is waited for", name, err)
	case err != nil:
		return f, fmt.Errorf("capture from %s: %w", name, err)
	}
	return f, nil
}
