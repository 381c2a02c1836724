// What `ulogd doctor` looks at: whether the capture files are there and may be read, or the
// interface may be captured from.

package pcap

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/input/netlink/netns"
)

// Doctor looks for the capture files or the interface.
func (in *input) Doctor(d *engine.DoctorReport) {
	const why = "the daemon has nothing to read"
	for _, name := range in.ifaces {
		if err := in.doctorInterface(name, d); errors.Is(err, unix.EPERM) {
			d.Find(err.Error(), why, "start ulogd as root, with -u USER where it is not to stay root: it keeps what it has opened; "+
				"ulogd.service needs the drop-in live-capture.conf")
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
		// To open a FIFO would wait for its writer, and take away what it writes.
		if err := unix.Faccessat(unix.AT_FDCWD, name, unix.R_OK, unix.AT_EACCESS); err != nil {
			d.Find((&os.PathError{Op: "read", Path: name, Err: err}).Error(), why,
				fmt.Sprintf("chmod a+r %s, or start ulogd as a user who may read it", name))
		}
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
	err := netns.Do(in.place.Path, func() error {
		f, err := find(name)
		if err == nil && in.apart && (f.cooked() || !segmentsTold()) {
			names := []string{name}
			if name == anyInterface {
				names = doctor.Interfaces()
			}
			doctor.Joined(d, names, "capture from interfaces with Ethernet headers by their names, on "+
				"Linux 6.2 or later")
		}
		return err
	})
	if in.place.Wait && (errors.Is(err, unix.ENODEV) || netns.IsMissing(err)) {
		return nil
	}
	return err
}
