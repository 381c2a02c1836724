// Whether anything is tracked: the kernel follows connections only where some rule asks for them.

package nfct

import (
	"bytes"
	"errors"
	"net"

	"github.com/mdlayher/netlink"
	"github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/nlattr"
)

// errUnknown says that nobody can tell.
var errUnknown = errors.New("the kernel does not tell whether it tracks connections")

// tracksAnything reports whether the kernel tracks connections in the namespace that the thread is in.
// Whoever reads connections, such as conntrack -E or another daemon, sees nothing of the question.
func tracksAnything() (bool, error) {
	if entries, err := readSysctl("nf_conntrack_count"); err != nil || entries > 0 {
		return entries > 0, err
	}
	if tracked, err := asksHooks(); err == nil {
		return tracked, nil
	}
	return noticesReply()
}

// Asking which functions are hooked into the way of packets (linux/netfilter/nfnetlink_hook.h, Linux
// 5.14, where it is built in).
const (
	subsysHook     = 12
	msgHookGet     = subsysHook << 8
	hookNumber     = 1 // NFNLA_HOOK_HOOKNUM
	hookPrerouting = 0
)

// asksHooks reports whether connection tracking is among the first functions that packets meet.
func asksHooks() (bool, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		body := nlattr.Append32([]byte{family, unix.NFNETLINK_V0, 0, 0}, hookNumber, hookPrerouting)
		answer, err := conn.Execute(netlink.Message{
			Header: netlink.Header{Type: msgHookGet, Flags: netlink.Request | netlink.Dump}, Data: body,
		})
		if err != nil {
			return false, err
		}
		for _, m := range answer {
			if hooksConntrack(m.Data) {
				return true, nil
			}
		}
	}
	return false, nil
}

// hooksConntrack reports whether a hook is that of connection tracking, by the name of its function:
// ipv4_conntrack_in or ipv6_conntrack_in.
func hooksConntrack(hook []byte) bool {
	if len(hook) < 4 { // struct nfgenmsg
		return false
	}
	for attrs := hook[4:]; len(attrs) > 0; {
		var value []byte
		if _, value, attrs = nlattr.Next(attrs); bytes.Contains(value, []byte("conntrack_in")) {
			return true
		}
	}
	return false
}

// noticesReply sends the answer to an echo request that nobody made, on the loopback device. It
// belongs to no connection and makes none, so no listener is told; but where connections are tracked
// it is counted as invalid.
func noticesReply() (bool, error) {
	if logs, err := readSysctl("nf_conntrack_log_invalid"); err != nil || logs != 0 {
		return false, errUnknown // it would be logged
	}
	stats, err := conntrack.Dial(nil)
	if err != nil {
		return false, err
	}
	defer stats.Close()
	before, err := invalid(stats)
	if err != nil {
		return false, err
	}
	here := &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}
	raw, err := net.ListenIP("ip4:icmp", here)
	if err != nil {
		return false, err // no right to it, or no loopback: nobody knows
	}
	defer raw.Close()
	// Type, code, checksum, identifier, sequence number (RFC 792).
	if _, err := raw.WriteToIP([]byte{0, 0, 0xff, 0xff, 0, 0, 0, 0}, here); err != nil {
		return false, err
	}
	after, err := invalid(stats)
	return after != before, err
}

// invalid returns how many packets belonged to no connection.
func invalid(c *conntrack.Conn) (sum uint32, err error) {
	cpus, err := c.Stats()
	for _, s := range cpus {
		sum += s.Invalid
	}
	return sum, err
}
