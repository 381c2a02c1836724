// Sending many messages with few system calls, as fast as possible or at a pace.

package measure

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// MostAtOnce is how many messages go into one system call.
const MostAtOnce = 64

// Sender sends messages over a socket that knows where they go.
type Sender struct {
	fd   int
	msgs [MostAtOnce]mmsghdr
	iovs [MostAtOnce]unix.Iovec
}

// NewSender returns a sender whose messages lie in the given buffers, of which there are at most
// MostAtOnce. They may be changed between two calls of Send.
func NewSender(fd int, messages [][]byte) *Sender {
	s := &Sender{fd: fd}
	for i, m := range messages {
		s.iovs[i].Base = &m[0]
		s.iovs[i].SetLen(len(m))
		s.msgs[i].hdr.Iov = &s.iovs[i]
		s.msgs[i].hdr.SetIovlen(1)
	}
	return s
}

// Resize changes the length of a message.
func (s *Sender) Resize(message, length int) { s.iovs[message].SetLen(length) }

// Send sends the first n messages, however long that takes.
func (s *Sender) Send(n int) error {
	for sent := 0; sent < n; {
		k, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.msgs[sent])),
			uintptr(n-sent), 0, 0, 0)
		switch errno {
		case 0:
			sent += int(k)
		case unix.EAGAIN, unix.ENOBUFS, unix.EINTR: // full: once more
		default:
			return errno
		}
	}
	return nil
}

// Pace calls send for total things at so many a second, in bursts of what is due, which are small:
// what comes in a tenth of a millisecond, and never more than MostAtOnce. Between them it waits
// busily. Where send cannot keep up it is called without pause, and what it is behind is not made up
// for later: the pace is as fast as it can. It returns how long it took.
func Pace(total, perSecond int, send func(first, n int) error) (time.Duration, error) {
	least := min(max(1, perSecond/10_000), MostAtOnce)
	each := time.Second.Seconds() / float64(perSecond)
	start := time.Now()
	for first := 0; first < total; {
		due := int(time.Since(start).Seconds()/each) + 1 - first
		if due < min(least, total-first) {
			continue
		}
		n := min(due, MostAtOnce, total-first)
		if err := send(first, n); err != nil {
			return 0, err
		}
		first += n
	}
	return time.Since(start), nil
}
