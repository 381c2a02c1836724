// A netlink socket that is subscribed to events, and what it has brought but nobody has read yet.

package nfct

import (
	"fmt"
	"os"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/engine/mmsg"
	"ulogd/engine/nlattr"
)

// slotSize holds any event: some 300 octets, and up to 4 KiB of security context. It is no power of two, so that the slots do not share
// cache sets.
const slotSize = 4<<10 + 832

// socket reads the events of some groups.
type socket struct {
	conn     *netlink.Conn
	fd       int32
	receiver *mmsg.Receiver
	buf      []byte
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

// openSocket opens a socket and sets it up, not yet subscribed.
func openSocket(s *settings, f *filter, ns *os.File, groups []uint32) (*socket, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, netConfig(ns))
	if err != nil {
		return nil, fmt.Errorf("open a conntrack socket: %w", err)
	}
	k := &socket{conn: conn, groups: groups, buf: make([]byte, mmsg.Most*slotSize)}
	if err := k.setUp(s, f); err != nil {
		conn.Close()
		return nil, err
	}
	return k, nil
}

func (k *socket) setUp(s *settings, f *filter) error {
	raw, err := k.conn.SyscallConn()
	if err != nil {
		return err
	}
	if err := raw.Control(func(fd uintptr) { k.fd = int32(fd) }); err != nil {
		return err
	}
	k.receiver = mmsg.New(raw)
	// It tries SO_RCVBUFFORCE first; without CAP_NET_ADMIN net.core.rmem_max is the limit.
	if err := k.conn.SetReadBuffer(s.buffer()); err != nil {
		return fmt.Errorf("set the receive buffer to %d: %w", s.buffer(), err)
	}
	if k.granted, err = k.conn.ReadBuffer(); err != nil {
		return fmt.Errorf("read the size of the receive buffer: %w", err)
	}
	if s.reliable {
		// Both together make the kernel keep what did not fit and send it again.
		for _, o := range []netlink.ConnOption{netlink.BroadcastError, netlink.NoENOBUFS} {
			if err := k.conn.SetOption(o, true); err != nil {
				return fmt.Errorf("ask for reliable events: %w", err)
			}
		}
	}
	if prog, ok := f.bpf(s.hash); ok && f.any {
		if err := k.conn.SetBPF(prog); err != nil {
			return fmt.Errorf("attach the filter to the conntrack socket: %w", err)
		}
	}
	return nil
}

func (k *socket) join() error {
	for _, g := range k.groups {
		if err := k.conn.JoinGroup(g); err != nil {
			return fmt.Errorf("subscribe to conntrack events (group %d): %w; run as root or with CAP_NET_ADMIN", g, err)
		}
	}
	return nil
}

// leave ends the subscription; what has been queued stays readable.
func (k *socket) leave() error {
	for _, g := range k.groups {
		if err := k.conn.LeaveGroup(g); err != nil {
			return err
		}
	}
	return nil
}

// receive reads what is there, if all that came before has been taken.
func (k *socket) receive() (err error) {
	if !k.pending() {
		k.next = 0
		k.received, err = k.receiver.TryReceive(k.buf, slotSize)
	}
	return err
}

// pending tells whether message would return one.
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

// netConfig makes sockets of another namespace.
func netConfig(ns *os.File) *netlink.Config {
	c := &netlink.Config{}
	if ns != nil {
		c.NetNS = int(ns.Fd())
	}
	return c
}
