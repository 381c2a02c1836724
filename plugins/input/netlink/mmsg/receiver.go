// Package mmsg receives many datagrams with one system call (recvmmsg(2)), on the runtime's poller,
// without allocating.
//
//	r := mmsg.New(raw)                      // raw: the SyscallConn of a netlink or UDP socket
//	n, err := r.TryReceive(buf, slot)       // what is there now; n may be 0
//	n, err := r.WaitReceive(buf, slot)      // waits for the first, up to the connection's read deadline
//	for i := range n { r.Datagram(i) }      // lies in buf at i*slot
package mmsg

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Most is how many datagrams a system call returns at most. More saves nothing measurable.
const Most = 64

// ErrOverrun says that the kernel had datagrams for which the receive buffer was full (ENOBUFS).
// The socket stays usable, and Drops tells how many there were.
var ErrOverrun = errors.New("receive buffer overrun")

// A Receiver reads datagrams from one socket. It is used from one goroutine at a time.
type Receiver struct {
	raw  syscall.RawConn
	hdr  [Most]mmsghdr
	iov  [Most]unix.Iovec
	buf  []byte
	slot int

	asked int
	got   int
	errno unix.Errno
	// Made once: a closure or method value made per call would be allocated per call.
	try  func(fd uintptr)
	wait func(fd uintptr) bool
}

// mmsghdr is struct mmsghdr of recvmmsg(2). It is as long as in C: both pad it to the alignment of
// its pointers. (A last field of no length, for a padding that 32 bits do not need, would take
// room.)
type mmsghdr struct {
	msg unix.Msghdr
	len uint32
}

// New makes a receiver for the socket behind raw.
func New(raw syscall.RawConn) *Receiver {
	r := &Receiver{raw: raw}
	r.try = r.receive
	r.wait = func(fd uintptr) bool {
		r.receive(fd)
		return r.errno != unix.EAGAIN
	}
	for i := range r.hdr {
		r.hdr[i].msg.Iov = &r.iov[i]
		r.hdr[i].msg.SetIovlen(1)
	}
	return r
}

// TryReceive fills buf, cut into slots of that many octets, with the datagrams that are there, and
// returns their number. 0 without an error: there were none.
func (r *Receiver) TryReceive(buf []byte, slot int) (n int, err error) {
	r.into(buf, slot)
	if err := r.raw.Control(r.try); err != nil {
		return 0, fmt.Errorf("receive: %w", err)
	}
	return r.result()
}

// WaitReceive is TryReceive that waits until there is a datagram or the read deadline has come:
// then it returns 0 without an error.
func (r *Receiver) WaitReceive(buf []byte, slot int) (n int, err error) {
	r.into(buf, slot)
	r.got, r.errno = 0, unix.EAGAIN
	if err := r.raw.Read(r.wait); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, fmt.Errorf("receive: %w", err)
	}
	return r.result()
}

// Datagram returns the i-th datagram of the last call, as far as it fitted into its slot.
func (r *Receiver) Datagram(i int) []byte {
	return r.buf[i*r.slot:][:min(int(r.hdr[i].len), r.slot)]
}

// Truncated reports whether the i-th datagram was longer than its slot, and so lost its end.
func (r *Receiver) Truncated(i int) bool { return r.hdr[i].msg.Flags&unix.MSG_TRUNC != 0 }

// into points the kernel's headers at the slots; it does so anew only where the buffer is another
// one.
func (r *Receiver) into(buf []byte, slot int) {
	r.got = 0
	if len(r.buf) == len(buf) && r.slot == slot && unsafe.SliceData(r.buf) == unsafe.SliceData(buf) {
		return
	}
	r.buf, r.slot = buf, slot
	r.asked = min(len(buf)/slot, Most)
	for i := range r.asked {
		r.iov[i].Base = &buf[i*slot]
		r.iov[i].SetLen(slot)
	}
}

func (r *Receiver) receive(fd uintptr) {
	// It never blocks, but 64 datagrams take longer than the scheduler's patience with system
	// calls: announced as one, it would move the goroutine's processor to another thread each time,
	// at several times the cost of the call.
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.hdr[0])), uintptr(r.asked), unix.MSG_DONTWAIT, 0, 0)
	r.errno = errno
	if errno == 0 {
		r.got = int(n)
	}
}

func (r *Receiver) result() (int, error) {
	switch r.errno {
	case 0:
		return r.got, nil
	case unix.EAGAIN, unix.EINTR:
		return 0, nil
	case unix.ENOBUFS:
		return 0, ErrOverrun
	}
	return 0, os.NewSyscallError("recvmmsg", r.errno)
}
