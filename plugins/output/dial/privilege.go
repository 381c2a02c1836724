// What the settings need besides being a user.

package dial

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
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

// anyoneBinds reports whether the kernel is 5.7 or newer, which lets anyone bind a socket to a device that
// is bound to none.
func anyoneBinds() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	return atLeast(unix.ByteSliceToString(u.Release[:]), 5, 7)
}

// atLeast compares a kernel's release, such as 6.1.0-13-amd64, with a version.
func atLeast(release string, major, minor int) bool {
	parts := strings.SplitN(release, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err := strconv.Atoi(parts[0])
	end := strings.IndexFunc(parts[1], func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(parts[1])
	}
	b, err2 := strconv.Atoi(parts[1][:end])
	return err == nil && err2 == nil && (a > major || a == major && b >= minor)
}
