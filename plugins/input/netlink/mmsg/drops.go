// What a socket holds, and how many datagrams it lost.

package mmsg

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Places in the array that SO_MEMINFO returns (linux/sock_diag.h).
const (
	skMeminfoRmemAlloc = 0
	skMeminfoRcvbuf    = 1

	skMeminfoDrops = 8
	skMeminfoVars  = 9
)

// Drops returns the kernel's count of datagrams that the socket had no room for since it was
// opened. It wraps at 32 bits: take differences as uint32. For netlink multicast each lost message
// counts once.
func (r *Receiver) Drops() (uint32, error) {
	info, err := r.memory()
	return info[skMeminfoDrops], err
}

// Filled returns how many octets of the receive buffer are taken, and how many there are; the
// kernel's own bookkeeping counts in both.
func (r *Receiver) Filled() (octets, most int64, err error) {
	info, err := r.memory()
	return int64(info[skMeminfoRmemAlloc]), int64(info[skMeminfoRcvbuf]), err
}

func (r *Receiver) memory() (info [skMeminfoVars]uint32, err error) {
	var errno unix.Errno
	err = r.raw.Control(func(fd uintptr) {
		size := uint32(unsafe.Sizeof(info))
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("getsockopt SO_MEMINFO", errno)
	}
	return info, err
}
