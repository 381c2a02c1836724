// What `ulogd doctor` looks at: whether the group is free.

package nflog

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/input/netlink/netns"
	"ulogd/plugins/input/netlink/nftables"
)

// Doctor looks whether the group can be bound and read as asked.
func (n *nflog) Doctor(d *engine.DoctorReport) {
	if n.place.Path != "" && !n.place.Wait {
		if _, err := os.Stat(n.place.Path); err != nil {
			d.Find("network_namespace_path: "+err.Error(), "the daemon will not start", "ip netns list, and correct network_namespace_path")
			return
		}
	}
	doctor.NetAdmin(d, "reading logged packets")
	doctor.ReceiveBuffer(d, int(max(or(n.buffer, defaultBuffer), n.bufferMax)))
	n.doctorRules(d)
	if !n.taken() {
		return
	}
	owner := n.owner()
	if pid, ok := strings.CutPrefix(owner, "process "); ok && d.Running != 0 && strings.HasPrefix(pid, fmt.Sprint(d.Running, " ")) {
		return
	}
	d.Find(fmt.Sprintf("group %d is taken: %s reads it", uint16(n.group), strings.TrimSuffix(owner, ",")), "a group has one reader; the daemon will not start",
		fmt.Sprintf("stop that program, or use another group here and in the rules: group = %d", uint16(n.group)+1))
}

// doctorRules finds that rules log, and none to the group that is read.
func (n *nflog) doctorRules(d *engine.DoctorReport) {
	var groups []uint16
	err := netns.Do(n.place.Path, func() error {
		c, err := nftables.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		groups, err = c.LogGroups()
		return err
	})
	if err != nil || len(groups) == 0 || slices.Contains(groups, uint16(n.group)) {
		return // what legacy iptables logs nobody can see here
	}
	list := strings.Trim(fmt.Sprint(groups), "[]")
	d.Find(fmt.Sprintf("group %d is read, and nftables' rules log to %s", uint16(n.group), list),
		"what they log reaches nobody here", fmt.Sprintf("group = %d here, or log group %d in the rules (nft list ruleset)",
			groups[0], uint16(n.group)))
}
