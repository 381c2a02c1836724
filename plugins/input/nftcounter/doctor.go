// What `ulogd doctor` looks at: whether there are counters, and whether they may be read.

package nftcounter

import "ulogd/engine"

// Doctor looks for counters.
func (n *nftcounter) Doctor(d *engine.DoctorReport) {
	list, err, ok := n.Look(d)
	switch {
	case !ok:
	case err != nil:
		d.Find("nftables' counters cannot be read: "+err.Error(), "there is nothing to report", "modprobe nf_tables")
	case len(list) == 0:
		d.Find("no counter and no set's element is one of those asked for", "there is nothing to report",
			"nft list counters; nft list sets; then correct table, counter and family")
	}
}
