// What `ulogd doctor` looks at: whether the group is free.

package nflog

import (
	"fmt"
	"os"
	"strings"

	"ulogd/engine"
	"ulogd/engine/doctor"
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
	doctor.ReceiveBuffer(d, max(or(n.buffer, defaultBuffer), n.bufferMax))
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
