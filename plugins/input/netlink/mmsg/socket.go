// Sockets that the runtime's poller does not watch.

package mmsg

import (
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Socket is a socket whose reader waits for it by itself. The runtime's poller wakes a thread for
// each datagram that arrives, even while nobody waits; where the kernel hands over records one by
// one that costs more than all else that is done for them. A reader of a Socket can sleep a moment,
// and then take many datagrams at once, without being woken in between.
//
// It implements syscall.RawConn, for [New].
type Socket struct {
	fd       int
	deadline time.Time
	poll     [1]unix.PollFd
}

// Detach makes a Socket of the connection behind raw, which the caller then closes: the socket
// itself lives on.
func Detach(raw syscall.RawConn) (*Socket, error) {
	s := &Socket{}
	var err error
	if e := raw.Control(func(fd uintptr) { s.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("duplicate a socket: %w", err)
	}
	s.poll[0] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN}
	return s, nil
}

// Close closes the socket.
func (s *Socket) Close() error { return unix.Close(s.fd) }

// SetReadDeadline says until when Read waits.
func (s *Socket) SetReadDeadline(t time.Time) { s.deadline = t }

// Control calls f with the descriptor.
func (s *Socket) Control(f func(fd uintptr)) error {
	f(uintptr(s.fd))
	return nil
}

// Read calls f until it returns true, and waits for the socket to be readable in between.
func (s *Socket) Read(f func(fd uintptr) bool) error {
	for !f(uintptr(s.fd)) {
		wait := time.Until(s.deadline)
		if wait <= 0 {
			return os.ErrDeadlineExceeded
		}
		if _, err := unix.Poll(s.poll[:], milliseconds(wait)); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
	return nil
}

// Write calls f once: sends on the sockets that this is for do not block.
func (s *Socket) Write(f func(fd uintptr) bool) error {
	f(uintptr(s.fd))
	return nil
}

// Send sends one datagram to the other end, for netlink the kernel.
func (s *Socket) Send(b []byte) error { return os.NewSyscallError("send", unix.Send(s.fd, b, 0)) }

// SetReadBuffer asks for a receive buffer of so many octets, beyond the system's limit if the
// process may (CAP_NET_ADMIN), and returns what was granted.
func (s *Socket) SetReadBuffer(octets int) (granted int, err error) {
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, octets); err != nil {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, octets); err != nil {
			return 0, os.NewSyscallError("setsockopt SO_RCVBUF", err)
		}
	}
	got, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	return got / 2, os.NewSyscallError("getsockopt SO_RCVBUF", err) // the kernel counts twice what was asked for, to cover its bookkeeping
}

// Wait waits until one of several sockets, at most four, is readable, or until the deadline. It may
// return false a little early.
func Wait(deadline time.Time, list ...*Socket) (bool, error) {
	var room [4]unix.PollFd
	fds := room[:0]
	for _, s := range list {
		fds = append(fds, s.poll[0])
	}
	wait := time.Until(deadline)
	if wait <= 0 {
		return false, nil
	}
	n, err := unix.Poll(fds, milliseconds(wait))
	if err == unix.EINTR {
		return false, nil
	}
	return n > 0, os.NewSyscallError("poll", err)
}

// milliseconds returns a duration for poll(2), no shorter than it is; the kernel takes 32 bits.
func milliseconds(d time.Duration) int { return int(min(d.Milliseconds()+1, math.MaxInt32)) }
