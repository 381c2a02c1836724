// A netlink socket that is subscribed to events, and what it has brought but nobody has read yet.

package ctnetlink

import (
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/netns"
	"ulogd/plugins/input/netlink/nlattr"
)

// SlotSize holds any event: some 300 octets, and up to 4 KiB of security context. It is no power of
// two, so that the slots do not share cache sets.
const SlotSize = 4<<10 + 832

// Socket reads the events of some groups.
type Socket struct {
	Conn     *mmsg.Socket
	receiver *mmsg.Receiver
	buf      []byte
	slot     int // octets of buf for each datagram
	Granted  int // octets of the receive buffer, the kernel's own bookkeeping included
	groups   []uint32

	Received int // datagrams of the last system call
	next     int
	rest     []byte // messages left of the datagram before next
	drops    uint32 // the kernel's count when it was last looked at
}

// Multicast groups (linux/netfilter/nfnetlink_compat.h: NFNLGRP_CONNTRACK_NEW and so on).
const (
	GroupNew     = 1
	GroupUpdate  = 2
	GroupDestroy = 3
)

// Subscription is what a socket is to bring.
type Subscription struct {
	Namespace string // path; "" is that of the daemon
	Groups    []uint32
	Buffer    int                  // octets that may wait in the kernel
	Reliable  bool                 // the kernel keeps what did not fit, and sends it again
	Program   []bpf.RawInstruction // what it may leave out; nil: nothing
}

// Subscribe opens a socket and subscribes it.
func Subscribe(s *Subscription) (*Socket, error) {
	conn, err := dial(s.Namespace)
	if err != nil {
		return nil, err
	}
	defer conn.Close() // the detached socket stays
	granted, err := setUp(conn, s)
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	detached, err := mmsg.Detach(raw)
	if err != nil {
		return nil, err
	}
	k := NewSocket(detached, mmsg.Most, SlotSize)
	k.groups, k.Granted = s.Groups, granted
	for _, g := range s.Groups {
		if err := conn.JoinGroup(g); err != nil {
			k.Conn.Close()
			return nil, fmt.Errorf("subscribe to conntrack events (group %d): %w; run as root or with CAP_NET_ADMIN", g, err)
		}
	}
	return k, nil
}

// NewSocket makes a socket of one that is open, with that many slots for datagrams.
func NewSocket(s *mmsg.Socket, slots, size int) *Socket {
	return &Socket{Conn: s, receiver: mmsg.New(s), buf: make([]byte, slots*size), slot: size}
}

// setUp sets the socket's options and returns the size of the receive buffer that was granted.
func setUp(conn *netlink.Conn, s *Subscription) (granted int, err error) {
	// It tries SO_RCVBUFFORCE first; without CAP_NET_ADMIN net.core.rmem_max is the limit.
	if err := conn.SetReadBuffer(s.Buffer); err != nil {
		return 0, fmt.Errorf("set the receive buffer to %d: %w", s.Buffer, err)
	}
	if s.Reliable {
		// Both together make the kernel keep what did not fit and send it again.
		for _, o := range []netlink.ConnOption{netlink.BroadcastError, netlink.NoENOBUFS} {
			if err := conn.SetOption(o, true); err != nil {
				return 0, fmt.Errorf("ask for reliable events: %w", err)
			}
		}
	}
	if s.Program != nil {
		if err := conn.SetBPF(s.Program); err != nil {
			return 0, fmt.Errorf("attach the filter to the conntrack socket: %w", err)
		}
	}
	if granted, err = conn.ReadBuffer(); err != nil {
		return 0, fmt.Errorf("read the size of the receive buffer: %w", err)
	}
	return granted, nil
}

// Leave ends the subscription; what has been queued stays readable.
func (k *Socket) Leave() (err error) {
	for _, g := range k.groups {
		if e := k.Conn.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_DROP_MEMBERSHIP, int(g))
		}); e != nil || err != nil {
			return errors.Join(e, err)
		}
	}
	return nil
}

func (k *Socket) Close() error { return k.Conn.Close() }

// Receive reads what is there, if all that came before has been taken.
func (k *Socket) Receive() (err error) {
	if !k.Pending() {
		k.next = 0
		k.Received, err = k.receiver.TryReceive(k.buf, k.slot)
	}
	return err
}

// Pending reports whether message would return one.
func (k *Socket) Pending() bool { return len(k.rest) > 0 || k.next < k.Received }

// CutOff reports whether the next message begins a datagram that was longer than its slot.
func (k *Socket) CutOff() bool {
	return len(k.rest) == 0 && k.next < k.Received && k.receiver.Truncated(k.next)
}

// Message returns the next message; it is malformed where a datagram was cut off.
func (k *Socket) Message() (m nlattr.Message, ok bool) {
	for len(k.rest) == 0 {
		if k.next == k.Received {
			return m, false
		}
		k.rest = k.receiver.Datagram(k.next)
		k.next++
	}
	m, k.rest = nlattr.NextMessage(k.rest)
	return m, true
}

// Forget drops what has been received and not been read.
func (k *Socket) Forget() { k.rest, k.next, k.Received = nil, 0, 0 }

// Feed makes messages that came by another way the next ones.
func (k *Socket) Feed(part []byte) { k.rest = part }

// Datagram returns the first datagram of the last system call.
func (k *Socket) Datagram() []byte { return k.receiver.Datagram(0) }

// Filled returns how many octets of the receive buffer are taken, and how many there are; the kernel's
// own bookkeeping counts in both.
func (k *Socket) Filled() (octets, most int64, err error) { return k.receiver.Filled() }

// NewDrops returns how many events the kernel had no room for since the last call.
func (k *Socket) NewDrops() int {
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

// Wait waits until one of the sockets, of which some may be nil, is readable, and reports whether one
// is.
func Wait(deadline time.Time, sockets ...*Socket) (bool, error) {
	var list [2]*mmsg.Socket
	some := list[:0]
	for _, k := range sockets {
		if k != nil {
			some = append(some, k.Conn)
		}
	}
	return mmsg.Wait(deadline, some...)
}
