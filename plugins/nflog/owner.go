// Who else reads a group: the kernel's list of groups names a netlink port, the list of sockets its inode, and the processes' open
// files the process.

package nflog

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// taken tells whether the group has a reader.
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
	err := inNamespace(n.namespace, func() {
		text, _ := os.ReadFile("/proc/thread-self/net/" + table) // what cannot be read names nobody
		for line := range strings.Lines(string(text)) {
			if found = pick(strings.Fields(line)); found != "" {
				return
			}
		}
	})
	if err != nil {
		n.env.Log.Debug("look for the group's reader", "error", err)
	}
	return found
}

// inNamespace calls f with its thread in the namespace of that file; unset, in the present one.
func inNamespace(path string, f func()) error {
	if path == "" {
		f()
		return nil
	}
	home, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	there, err := os.Open(path)
	if err != nil {
		return err
	}
	defer there.Close()
	runtime.LockOSThread()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return err // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return nil
}
