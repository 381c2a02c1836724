// Who else reads a group: the kernel's list of groups names a netlink port, the list of sockets its
// inode, and the processes' open files the process.

package nflog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/netns"
)

// taken reports whether the group has a reader.
func (n *nflog) taken() bool { return n.port() != "" }

// owner describes the group's reader as well as can be found out.
func (n *nflog) owner() string {
	port := n.port()
	inode := n.lookup("netlink", func(f []string) string {
		if len(f) >= 10 && f[1] == fmt.Sprint(unix.NETLINK_NETFILTER) && f[2] == port {
			return f[9]
		}
		return ""
	})
	if inode != "" {
		files, _ := filepath.Glob("/proc/[0-9]*/fd/*") // processes that end meanwhile are not the reader
		for _, file := range files {
			if target, err := os.Readlink(file); err == nil && target == "socket:["+inode+"]" {
				pid := strings.Split(file, "/")[2]
				name, _ := os.ReadFile("/proc/" + pid + "/comm")
				return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(name)))
			}
		}
	}
	if port != "" {
		return "another program, whose netlink port is " + port + ","
	}
	return "another program"
}

// port returns the netlink port of the group's reader.
func (n *nflog) port() string {
	return n.lookup("netfilter/nfnetlink_log", func(f []string) string {
		if len(f) >= 2 && f[0] == fmt.Sprint(uint16(n.group)) {
			return f[1]
		}
		return ""
	})
}

// lookup returns what pick finds in a table under /proc/net, of the namespace that is listened in.
func (n *nflog) lookup(table string, pick func(fields []string) string) (found string) {
	err := netns.Do(n.place.Path, func() error {
		text, _ := os.ReadFile("/proc/thread-self/net/" + table) // what cannot be read names nobody
		for line := range strings.Lines(string(text)) {
			if found = pick(strings.Fields(line)); found != "" {
				break
			}
		}
		return nil
	})
	if err != nil {
		n.env.Log.Debug("look for the group's reader", "error", err)
	}
	return found
}
