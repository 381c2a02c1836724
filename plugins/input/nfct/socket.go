// A netlink socket that is subscribed to events, and what it has brought but nobody has read yet.

package nfct

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/netns"
	"ulogd/plugins/input/netlink/nlattr"
)

// slotSize holds any event: some 300 octets, and up to 4 KiB of security context. It is no power of
// two, so that the slots do not share cache sets.
const slotSize = 4<<10 + 832

// socket reads the events of some groups.
type socket struct {
	socket   *mmsg.Socket
	receiver *mmsg.Receiver
	buf      []byte
	slot     int // octets of buf for each datagram
	granted  int // octets of the receive buffer, the kernel's own bookkeeping included
	groups   []uint32

	received int // datagrams of the last system call
	next     int
	rest     []byte // messages left of the datagram before next
	drops    uint32 // the kernel's count when it was last looked at
}

// Multicast groups (linux/netfilter/nfnetlink_compat.h: NFNLGRP_CONNTRACK_NEW and so on).
const (
	groupNew     = 1
	groupUpdate  = 2
	groupDestroy = 3
)

// openSocket opens a socket and subscribes it.
func openSocket(s *settings, f *filter, groups []uint32) (*socket, error) {
	conn, err := dial(s.place.Path)
	if err != nil {
		return nil, err
	}
	defer conn.Close() // the detached socket stays
	k := &socket{groups: groups, buf: make([]byte, mmsg.Most*slotSize), slot: slotSize}
	if k.granted, err = setUp(conn, s, f); err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	if k.socket, err = mmsg.Detach(raw); err != nil {
		return nil, err
	}
	k.receiver = mmsg.New(k.socket)
	for _, g := range groups {
		if err := conn.JoinGroup(g); err != nil {
			k.socket.Close()
			return nil, fmt.Errorf("subscribe to conntrack events (group %d): %w; run as root or with CAP_NET_ADMIN", g, err)
		}
	}
	return k, nil
}

// setUp sets the socket's options and returns the size of the receive buffer that was granted.
func setUp(conn *netlink.Conn, s *settings, f *filter) (granted int, err error) {
	// It tries SO_RCVBUFFORCE first; without CAP_NET_ADMIN net.core.rmem_max is the limit.
	if err := conn.SetReadBuffer(s.buffer()); err != nil {
		return 0, fmt.Errorf("set the receive buffer to %d: %w", s.buffer(), err)
	}
	if s.reliable {
		// Both together make the kernel keep what did not fit and send it again.
		for _, o := range []netlink.ConnOption{netlink.BroadcastError, netlink.NoENOBUFS} {
			if err := conn.SetOption(o, true); err != nil {
				return 0, fmt.Errorf("ask for reliable events: %w", err)
			}
		}
	}
	if prog, ok := f.bpf(s.hash); ok && f.any {
		if err := conn.SetBPF(prog); err != nil {
			return 0, fmt.Errorf("attach the filter to the conntrack socket: %w", err)
		}
	}
	if granted, err = conn.ReadBuffer(); err != nil {
		return 0, fmt.Errorf("read the size of the receive buffer: %w", err)
	}
	return granted, nil
}

// leave ends the subscription; what has been queued stays readable.
func (k *socket) leave() (err error) {
	for _, g := range k.groups {
		if e := k.socket.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_DROP_MEMBERSHIP, int(g))
		}); e != nil || err != nil {
			return errors.Join(e, err)
		}
	}
	return nil
}

func (k *socket) close() error { return k.socket.Close() }

// receive reads what is there, if all that came before has been taken.
func (k *socket) receive() (err error) {
	if !k.pending() {
		k.next = 0
		k.received, err = k.receiver.TryReceive(k.buf, k.slot)
	}
	return err
}

// pending reports whether message would return one.
func (k *socket) pending() bool { return len(k.rest) > 0 || k.next < k.received }

// message returns the next message; it is malformed where a datagram was cut off.
func (k *socket) message() (m nlattr.Message, ok bool) {
	for len(k.rest) == 0 {
		if k.next == k.received {
			return m, false
		}
		k.rest = k.receiver.Datagram(k.next)
		k.next++
	}
	m, k.rest = nlattr.NextMessage(k.rest)
	return m, true
}

// newDrops returns how many events the kernel had no room for since the last call.
func (k *socket) newDrops() int {
	now, err := k.receiver.Drops()
	if err != nil {
		return 0 // kernels before 4.6; the overrun itself is still told
	}
	n := now - k.drops
	k.drops = now
	return int(n)
}

// dial opens a netlink socket in the namespace that is read.
func dial(namespace string) (conn *netlink.Conn, err error) {
	err = netns.Do(namespace, func() (err error) { conn, err = netlink.Dial(unix.NETLINK_NETFILTER, nil); return err })
	if err != nil {
		return nil, fmt.Errorf("open a conntrack socket: %w", err)
	}
	return conn, nil
}
