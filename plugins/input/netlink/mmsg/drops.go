// How many datagrams a socket lost.

package mmsg

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Places in the array that SO_MEMINFO returns (linux/sock_diag.h).
const (
	skMeminfoDrops = 8
	skMeminfoVars  = 9
)

// Drops returns the kernel's count of datagrams that the socket had no room for since it was
// opened. It wraps at 32 bits: take differences as uint32. For netlink multicast each lost message
// counts once.
func (r *Receiver) Drops() (uint32, error) {
	var info [skMeminfoVars]uint32
	var errno unix.Errno
	err := r.raw.Control(func(fd uintptr) {
		size := uint32(unsafe.Sizeof(info))
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("getsockopt SO_MEMINFO", errno)
	}
	return info[skMeminfoDrops], err
}
