// Knowing that a listener listens: events sent before it joined its multicast group are not for it.

package nstest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// WaitSubscribed waits until the program has joined a netlink multicast group, such as conntrack's
// events. A subscription is all that it sees: a program may still set its buffer afterwards. What
// `conntrack -E` can hold is about 160 events whatever its -b says (seen with 1.4.7), so keep
// bursts for it smaller.
func (p *Proc) WaitSubscribed(timeout time.Duration) {
	p.t.Helper()
	Eventually(p.t, timeout, func() error {
		if !Subscribed(p.PID()) {
			return fmt.Errorf("%s has joined no netlink group:\n%s", p.cmd, p.lastWords())
		}
		return nil
	})
}

// Subscribed reports whether a process has joined a netlink multicast group. It looks for the
// process's sockets in its namespace's table: sk Eth Pid Groups ... Inode.
func Subscribed(pid int) bool {
	descriptors := fmt.Sprintf("/proc/%d/fd/", pid)
	own := make(map[string]bool)
	names, _ := filepath.Glob(descriptors + "*") // none once the process has ended
	for _, name := range names {
		if target, err := os.Readlink(name); err == nil {
			own[target] = true
		}
	}
	table, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/netlink", pid))
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) > 4 && f[3] != "00000000" && own["socket:["+f[len(f)-1]+"]"] {
			return true
		}
	}
	return false
}
