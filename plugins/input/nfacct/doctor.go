// What `ulogd doctor` looks at: whether there are counters, and whether they may be read.

package nfacct

import "ulogd/engine"

// addCommand makes a counter and a rule that counts.
const addCommand = "nfacct add all && iptables -A INPUT -m nfacct --nfacct-name all"

// Doctor looks for counters.
func (n *nfacct) Doctor(d *engine.DoctorReport) {
	list, err, ok := n.Look(d)
	switch {
	case !ok:
	case err != nil:
		d.Find("the kernel's counters cannot be read: "+err.Error(), "there is nothing to report", "modprobe nfnetlink_acct")
	case len(list) == 0:
		there := ""
		if n.Place.Path != "" {
			there = "nsenter --net=" + n.Place.Path + " "
		}
		d.Find("the kernel has no counters here", "there is nothing to report", there+"sh -c '"+addCommand+"'")
	}
}
