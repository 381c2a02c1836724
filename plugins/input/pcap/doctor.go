// What `ulogd doctor` looks at: whether the capture files are there and may be read, or the
// interface may be captured from.

package pcap

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/netns"
)

// Doctor looks for the capture files or the interface.
func (in *input) Doctor(d *engine.DoctorReport) {
	const why = "the daemon has nothing to read"
	for _, name := range in.ifaces {
		if err := in.doctorInterface(name, d); errors.Is(err, unix.EPERM) {
			d.Find(err.Error(), why, "start ulogd as root, with -u USER where it is not to stay root: it keeps what it has opened")
		} else if err != nil {
			d.Find(err.Error(), why, "ip link, and correct interface or network_namespace_path in the configuration")
		}
	}
	if in.captures() {
		return
	}
	if in.follow {
		in.doctorFollow(d, why)
		return
	}
	names, err := expand(in.patterns)
	if err != nil {
		d.Find(err.Error(), why, "correct file in the configuration")
		return
	}
	for _, name := range names {
		if name == standardInput {
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			d.Find(err.Error(), why, fmt.Sprintf("chmod a+r %s, or start ulogd as a user who may read it", name))
			continue
		}
		f.Close()
	}
}

// doctorFollow looks for directories that are not there or cannot be listed.
func (in *input) doctorFollow(d *engine.DoctorReport, why string) {
	for _, p := range in.patterns {
		dirs, _ := place(p)
		if len(dirs) == 0 && !in.place.Wait {
			d.Find(fmt.Sprintf("there is no directory %s to follow", p), why, "mkdir, or correct file in the configuration")
		}
		for _, dir := range dirs {
			if _, err := os.ReadDir(dir); err != nil {
				d.Find(err.Error(), why, fmt.Sprintf("chmod a+rx %s, or start ulogd as a user who may list it", dir))
			}
		}
	}
}

func (in *input) doctorInterface(name string, d *engine.DoctorReport) error {
	var joined []string
	err := netns.Do(in.place.Path, func() error {
		f, err := find(name)
		if err == nil && in.apart && (f.cooked() || !segmentsTold()) {
			joined = joining(name)
		}
		return err
	})
	if len(joined) > 0 {
		list := strings.Join(joined, ", ")
		d.Find(fmt.Sprintf("%s: packets may be joined (GRO) or not cut yet (TSO, GSO) when they are captured, and the "+
			"kernel does not tell of how many each is", list),
			"packets of flows are counted too low, and octets without their headers",
			"ethtool -K INTERFACE gro off tso off gso off, or capture from interfaces with Ethernet headers by their names, "+
				"on Linux 6.2 or later")
	}
	if in.place.Wait && (errors.Is(err, unix.ENODEV) || netns.IsMissing(err)) {
		return nil
	}
	return err
}

// joining lists the interfaces of a name, which may stand for all, that join or do not cut packets.
func joining(name string) (names []string) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	all := []string{name}
	if name == anyInterface {
		all = nil
		list, _ := net.Interfaces()
		for _, i := range list {
			if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 {
				all = append(all, i.Name)
			}
		}
	}
	for _, name := range all {
		if joins(fd, name) {
			names = append(names, name)
		}
	}
	return names
}
