// Interfaces whose packets are not those on the wire: joined when they came in (GRO), to be cut when they go out (TSO,
// GSO).

package doctor

import (
	"fmt"
	"net"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"ulogd/engine"
)

// Interfaces returns the names of those of the present network namespace that are up, but the loopback.
func Interfaces() (names []string) {
	list, _ := net.Interfaces()
	for _, i := range list {
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 {
			names = append(names, i.Name)
		}
	}
	return names
}

// Joined finds interfaces that join packets or do not cut them, for those who take packets from where the kernel does
// not tell of how many each is. What else helps than to switch that off is said by who asks.
func Joined(d *engine.DoctorReport, names []string, otherwise string) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	var joined, commands []string
	for _, name := range names {
		if joins(fd, name) {
			joined = append(joined, name)
			commands = append(commands, "ethtool -K "+name+" gro off tso off gso off")
		}
	}
	if len(joined) > 0 {
		d.Find(fmt.Sprintf("%s: packets may be joined (GRO) or not cut yet (TSO, GSO) when they are captured, and the "+
			"kernel does not tell of how many each is", strings.Join(joined, ", ")),
			"packets of flows are counted too low, and octets without their headers",
			strings.Join(commands, "; ")+", or "+otherwise)
	}
}

// joins reports whether an interface gives packets that were joined or are to be cut, as its
// features say (linux/ethtool.h).
func joins(fd int, name string) bool {
	for _, ask := range []uint32{unix.ETHTOOL_GGRO, unix.ETHTOOL_GTSO, unix.ETHTOOL_GGSO} {
		value := struct{ cmd, data uint32 }{cmd: ask}
		request := struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}{data: unsafe.Pointer(&value)}
		copy(request.name[:unix.IFNAMSIZ-1], name)
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
		if errno == 0 && value.data != 0 {
			return true
		}
	}
	return false
}
