// Package doctor holds what `ulogd doctor` looks at for several plugins: privileges, receive
// buffers, names, files.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
)

// NetAdmin finds a missing CAP_NET_ADMIN; needed says what for.
func NetAdmin(d *engine.DoctorReport, needed string) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // capabilities 0 to 31, and the rest
	if err := unix.Capget(&header, &sets[0]); err != nil || sets[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0 {
		return
	}
	d.Find("this process has no CAP_NET_ADMIN", needed+" is refused without it",
		"start ulogd as root, with -u USER where it is not to stay root: it keeps that capability")
}

// ReceiveBuffer finds that the kernel grants a netlink socket less than octets.
func ReceiveBuffer(d *engine.DoctorReport, octets int) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		d.Find(fmt.Sprintf("no netlink socket can be opened: %v", err), "nothing can be read from the kernel", "use a kernel with CONFIG_NETFILTER_NETLINK")
		return
	}
	defer unix.Close(fd)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, octets) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, octets) // the kernel cuts it without an error
	}
	granted, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if granted /= 2; err != nil || granted >= octets { // the kernel doubles it for its own bookkeeping (socket(7))
		return
	}
	d.Find(fmt.Sprintf("the receive buffer is capped at %d octets by net.core.rmem_max; %d are asked for", granted, octets),
		"bursts will overflow it, and what does not fit is lost",
		fmt.Sprintf("sysctl -w net.core.rmem_max=%d", octets))
}

// Answers finds a program that takes no connections over TCP; dial tries one. A name that has no address is found
// first.
func Answers(d *engine.DoctorReport, host, address string, dial func(ctx context.Context) (net.Conn, error)) {
	if !Resolves(d, host) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	c, err := dial(ctx)
	if err == nil {
		c.Close()
		return
	}
	mend := "start what listens there, or correct host and port; a firewall may be in between"
	if errors.Is(err, unix.ECONNREFUSED) {
		mend = "start what listens on " + address + ", or correct host and port"
	}
	d.Find(fmt.Sprintf("%s takes no connection: %v", address, err),
		"records wait for it, and are dropped when there is no room", mend)
}

// answerWithin is the longest that a host is waited for.
const answerWithin = 5 * time.Second

// Resolves finds a host name that has no address, and reports whether it has one.
func Resolves(d *engine.DoctorReport, host string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := net.DefaultResolver.LookupHost(ctx, host); err != nil {
		why := err.Error()
		if e, ok := errors.AsType[*net.DNSError](err); ok {
			why = e.Err
		}
		d.Find(fmt.Sprintf("host %s does not resolve: %s", host, why), "nothing can be sent there",
			fmt.Sprintf("correct host, or have the name known: getent hosts %s", host))
		return false
	}
	return true
}

// Writable finds a path at which no file can be made, or the file there cannot be written.
func Writable(d *engine.DoctorReport, path string) {
	if path == "/dev/stdout" {
		return
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return // no working directory: every relative path fails where it is opened
	}
	dir := filepath.Dir(path)
	switch err := access(path, unix.W_OK); {
	case err == nil:
	case d.User != "" && errors.Is(err, fs.ErrNotExist): // it is made as root, and given to the user
		if err := access(dir, unix.W_OK|unix.X_OK); errors.Is(err, fs.ErrNotExist) {
			d.Find(fmt.Sprintf("the directory %s does not exist", dir), "the daemon will not start: it cannot make "+path,
				"mkdir -p "+dir)
		} else if err != nil {
			d.Find(fmt.Sprintf("the directory %s is not writable for %s: %v", dir, d.User, err),
				"the daemon makes "+path+" at the start, as root; once it is moved away the daemon cannot make another",
				fmt.Sprintf("chown %s %s, or have logrotate make the file (create 640 %s)", d.User, dir, d.User))
		}
	case d.User != "":
		d.Find(fmt.Sprintf("%s is not writable for %s: %v", path, d.User, err),
			"the daemon writes it until it is opened again, at SIGHUP or after an error, and then no more",
			fmt.Sprintf("chown %s %s, and let %s into the directories above it", d.User, path, d.User))
	case !errors.Is(err, fs.ErrNotExist):
		d.Find(fmt.Sprintf("%s is not writable: %v", path, err), "what is to be written there is lost", mend(path, err))
	default:
		if err := access(dir, unix.W_OK|unix.X_OK); errors.Is(err, fs.ErrNotExist) {
			d.Find(fmt.Sprintf("the directory %s does not exist", dir), "the daemon will not start: it cannot make "+path, "mkdir -p "+dir)
		} else if err != nil {
			d.Find(fmt.Sprintf("the directory %s is not writable: %v", dir, err), "the daemon will not start: it cannot make "+path, mend(dir, err))
		}
	}
}

// access asks the kernel what the process may do, by its effective user.
func access(path string, mode uint32) error {
	return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS)
}

func mend(path string, err error) string {
	if errors.Is(err, unix.EROFS) {
		return "mount -o remount,rw $(findmnt -n -o TARGET -T " + path + ")"
	}
	return fmt.Sprintf("chown %d %s, or start ulogd as a user who may write there", os.Geteuid(), path)
}
