// What `ulogd doctor` looks at: whether there are counters, and whether they may be read.

package nfacct

import (
	"errors"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/input/counters"
	"ulogd/plugins/input/netlink/netns"
)

// addCommand makes a counter and a rule that counts.
const addCommand = "nfacct add all && iptables -A INPUT -m nfacct --nfacct-name all"

// Doctor reads the counters as they are, without setting them to zero.
func (n *nfacct) Doctor(d *engine.DoctorReport) {
	doctor.NetAdmin(d, "reading counters")
	var r counters.Reader
	err := netns.Do(n.Place.Path, func() (err error) { r, err = dial(); return err })
	if n.Place.Wait && netns.IsMissing(err) {
		return
	}
	if err != nil {
		d.Find(err.Error(), "the daemon will not start", "ip netns list, and correct network_namespace_path")
		return
	}
	defer r.Close()
	there := ""
	if n.Place.Path != "" {
		there = "nsenter --net=" + n.Place.Path + " "
	}
	list, _, err := r.Read(false)
	switch {
	case errors.Is(err, unix.EPERM): // found above
	case err != nil:
		d.Find("the kernel's counters cannot be read: "+err.Error(), "there is nothing to report", "modprobe nfnetlink_acct")
	case len(list) == 0:
		d.Find("the kernel has no counters here", "there is nothing to report", there+"sh -c '"+addCommand+"'")
	}
}
