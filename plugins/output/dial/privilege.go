// What the settings need besides being a user.

package dial

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ulogd/engine/kernel"
)

// Capabilities implements engine.Privileged: each connection needs them, also the next one.
func (s *Settings) Capabilities() (list []int) {
	if s.sourcePort != 0 && int(s.sourcePort) < firstFreePort() {
		list = append(list, unix.CAP_NET_BIND_SERVICE)
	}
	if s.device != "" && !anyoneBinds() {
		list = append(list, unix.CAP_NET_RAW)
	}
	return list
}

// firstFreePort is the first that is not for the privileged alone (ip-sysctl.rst).
func firstFreePort() int {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if n, e := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && e == nil {
		return n
	}
	return 1024
}

// anyoneBinds reports whether the kernel lets anyone bind a socket to a device that is bound to none.
func anyoneBinds() bool { return kernel.AtLeast(5, 7) }
