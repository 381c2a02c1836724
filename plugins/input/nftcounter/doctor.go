// What `ulogd doctor` looks at: whether there are counters, and whether they may be read.

package nftcounter

import (
	"errors"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/input/counters"
	"ulogd/plugins/input/netlink/netns"
)

// Doctor reads the counters as they are, without setting them to zero.
func (n *nftcounter) Doctor(d *engine.DoctorReport) {
	doctor.NetAdmin(d, "reading counters")
	var r counters.Reader
	err := netns.Do(n.Place.Path, func() (err error) { r, err = n.dial(); return err })
	if n.Place.Wait && netns.IsMissing(err) {
		return
	}
	if err != nil {
		d.Find(err.Error(), "the daemon will not start", "ip netns list, and correct network_namespace_path")
		return
	}
	defer r.Close()
	list, _, err := r.Read(false)
	switch {
	case errors.Is(err, unix.EPERM): // found above
	case err != nil:
		d.Find("nftables' counters cannot be read: "+err.Error(), "there is nothing to report", "modprobe nf_tables")
	case len(list) == 0:
		d.Find("no counter and no set's element is one of those asked for", "there is nothing to report",
			"nft list counters; nft list sets; then correct table, counter and family")
	}
}
