// Sessions of datagrams.

package collector

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/output/dial"
)

// UDP is a connected datagram socket. Runs of messages of one length leave in one system call
// (UDP_SEGMENT, linux/udp.h).
type UDP struct {
	conn    *net.UDPConn
	raw     syscall.RawConn
	refused *engine.Counter
	refusal atomic.Int64 // times that nobody listened, in this session
	unsent  unsent
	mu      sync.Mutex // of the socket's error, which two goroutines look for

	// One attempt to write, kept here so that the closure that makes it is allocated once.
	p       []byte
	segment int // octets of each datagram in p; 0: p is one datagram
	oob     []byte
	err     error
	attempt func(fd uintptr) bool
	waiting int // octets in the kernel
	ask     func(fd uintptr)
	plain   bool // the path does not take UDP_SEGMENT
	scrap   [2048]byte
}

// DialUDP returns a Dial for datagrams. refused, if not nil, counts the times that the peer's host
// said nobody listens.
func DialUDP(to Address, from *dial.Settings, refused *engine.Counter) Dial {
	return func(ctx context.Context) (Session, error) { return dialUDP(ctx, to, from, refused) }
}

func dialUDP(ctx context.Context, to Address, from *dial.Settings, refused *engine.Counter) (*UDP, error) {
	conn, err := from.Dial(ctx, "udp", to.String())
	if err != nil {
		return nil, err
	}
	return newUDP(conn.(*net.UDPConn), refused)
}

func newUDP(conn *net.UDPConn, refused *engine.Counter) (*UDP, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("access the datagram socket: %w", err)
	}
	u := &UDP{conn: conn, raw: raw, refused: refused, oob: segmentMessage()}
	u.attempt = func(fd uintptr) bool {
		if u.segment == 0 {
			_, u.err = unix.Write(int(fd), u.p)
			return true
		}
		binary.NativeEndian.PutUint16(u.oob[unix.CmsgLen(0):], uint16(u.segment))
		_, u.err = unix.SendmsgN(int(fd), u.p, u.oob, nil, 0)
		return true
	}
	u.ask = func(fd uintptr) {
		var err error
		if u.waiting, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err != nil { // an emulator's
			u.waiting = 0
		}
		if u.unsent.held {
			u.takeError(int(fd))
		}
	}
	return u, nil
}

// segmentMessage makes the control message that tells the kernel how long each datagram of a write
// is: a struct cmsghdr, whose length has the size of a pointer, and 16 bits.
func segmentMessage() []byte {
	oob := make([]byte, unix.CmsgSpace(2))
	h := oob
	if unix.SizeofCmsghdr == 16 {
		binary.NativeEndian.PutUint64(h, uint64(unix.CmsgLen(2)))
		h = h[8:]
	} else {
		binary.NativeEndian.PutUint32(h, uint32(unix.CmsgLen(2)))
		h = h[4:]
	}
	binary.NativeEndian.PutUint32(h, unix.SOL_UDP)
	binary.NativeEndian.PutUint32(h[4:], unix.UDP_SEGMENT)
	return oob
}

// Limits of one segmented write: the kernel's number of segments, and what one IP packet could
// hold.
const (
	maxSegments      = 64
	maxSegmentOctets = 65000
)

// Send implements Session.
func (u *UDP) Send(p []byte, pieces []Piece) (int, error) {
	if len(pieces) == 0 {
		return 0, nil
	}
	done, err := u.leaves(p[:pieces[0].Length])
	if err != nil {
		return 0, err
	}
	if done > 0 {
		pieces = pieces[1:]
	}
	for len(pieces) > 0 {
		n, octets := 1, int(pieces[0].Length)
		if !u.plain {
			n, octets = segments(pieces)
		}
		err := u.write(p[done:done+octets], n, int(pieces[0].Length))
		switch {
		case err == nil:
			done += octets
			pieces = pieces[n:]
		case errors.Is(err, unix.EAGAIN):
			return done, nil
		case errors.Is(err, unix.ECONNREFUSED):
			u.refuse()
			return done, errRefused
		case passes(err):
			return done, &LaterError{fmt.Errorf("send to %s: %w", u.conn.RemoteAddr(), err)}
		case n > 1 && (errors.Is(err, unix.EIO) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EMSGSIZE)):
			u.plain = true // no checksum offload on the way, or a path narrower than the message
		default:
			return done, fmt.Errorf("send to %s: %w", u.conn.RemoteAddr(), err)
		}
	}
	return done, nil
}

// segments returns how many of the next messages one write can take, and their octets: equal ones,
// the last may be shorter.
func segments(pieces []Piece) (n, octets int) {
	longest := int(pieces[0].Length)
	for n < len(pieces) && n < maxSegments {
		l := int(pieces[n].Length)
		if l > longest || octets+l > maxSegmentOctets && n > 0 {
			break
		}
		octets += l
		n++
		if l < longest {
			break
		}
	}
	return n, octets
}

// passes reports whether an error is of the moment, and the socket none the worse for it: a
// firewall's rule, a route or an interface that is away, memory. The same datagram is to be sent
// again.
func passes(err error) bool {
	for _, e := range []unix.Errno{
		unix.EPERM, unix.EACCES, unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.ENOBUFS, unix.ENOMEM, unix.ENODEV, unix.ENOPROTOOPT,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// write sends n datagrams. A refusal reported now belongs to an earlier one.
func (u *UDP) write(p []byte, n, length int) error {
	u.p, u.segment = p, 0
	if n > 1 {
		u.segment = length
	}
	for u.err = unix.EINTR; errors.Is(u.err, unix.EINTR); {
		if err := u.raw.Write(u.attempt); err != nil {
			return err
		}
	}
	u.p = nil
	return u.err
}

// refuse counts a refusal.
func (u *UDP) refuse() {
	u.refusal.Add(1)
	if u.refused != nil {
		u.refused.Add(1)
	}
}

// Refused implements datagramSession.
func (u *UDP) Refused() int64 { return u.refusal.Load() }

// Drain implements Session. What a peer sends back is thrown away by the kernel once the socket's
// buffer is full, so reading it is for the errors that it brings.
func (u *UDP) Drain() error {
	if err := u.raw.Control(func(fd uintptr) { u.takeError(int(fd)) }); err != nil {
		return err
	}
	for range 64 {
		n := -1
		if err := u.raw.Read(func(fd uintptr) bool {
			n, _, _ = unix.Recvfrom(int(fd), u.scrap[:], unix.MSG_DONTWAIT)
			return true
		}); err != nil || n < 0 {
			return err
		}
	}
	return nil
}

// MaxMessage implements Session: the path's MTU less the headers, or what fits a packet of 512 octets
// where it is not known (RFC 7011 section 10.3.3; over IPv6 1280, which every link takes). That is so
// while an interface is down, too: Linux tells the 68 octets of its black hole then, for which every
// record is too big.
func (u *UDP) MaxMessage() int {
	level, opt, headers, least := unix.IPPROTO_IP, unix.IP_MTU, 20+8, 512
	if u.Ends().Remote.Addr().Is6() {
		level, opt, headers, least = unix.IPPROTO_IPV6, unix.IPV6_MTU, 40+8, 1280
	}
	mtu := 0
	if err := u.raw.Control(func(fd uintptr) { mtu, _ = unix.GetsockoptInt(int(fd), level, opt) }); err != nil {
		mtu = 0
	}
	return min(max(mtu, least), 65535) - headers
}

// Flush implements Session.
func (u *UDP) Flush() (bool, error) { return true, nil }

// Acked implements Session.
func (u *UDP) Acked() int64 { return 1<<63 - 1 }

// Ends implements Session.
func (u *UDP) Ends() engine.SocketPair {
	return engine.SocketPair{
		Protocol: unix.IPPROTO_UDP, Local: ends(u.conn.LocalAddr()),
		Remote: ends(u.conn.RemoteAddr()),
	}
}

// Shutdown implements Session.
func (u *UDP) Shutdown() error { return nil }

// Close implements Session.
func (u *UDP) Close() error { return u.conn.Close() }

func ends(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
