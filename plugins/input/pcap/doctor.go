// What `ulogd doctor` looks at: whether the capture files are there and may be read, or the
// interface may be captured from.

package pcap

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/netns"
)

// Doctor looks for the capture files or the interface.
func (in *input) Doctor(d *engine.DoctorReport) {
	const why = "the daemon has nothing to read"
	for _, name := range in.ifaces {
		if err := in.doctorInterface(name); errors.Is(err, unix.EPERM) {
			d.Find(err.Error(), why, "start ulogd as root, with -u USER where it is not to stay root: it keeps what it has opened")
		} else if err != nil {
			d.Find(err.Error(), why, "ip link, and correct interface or network_namespace_path in the configuration")
		}
	}
	if in.Live() {
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

func (in *input) doctorInterface(name string) error {
	err := netns.Do(in.place.Path, func() error {
		_, err := find(name)
		return err
	})
	if in.place.Wait && (errors.Is(err, unix.ENODEV) || netns.IsMissing(err)) {
		return nil
	}
	return err
}
