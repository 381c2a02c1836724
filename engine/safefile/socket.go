// Unix sockets in directories of others.

package safefile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listener is a unix socket that clients connect to. Close removes its file, if it is still the
// same.
type Listener struct {
	net.Listener
	path string
	file int // the socket's file, opened as a path
}

// ErrInUse says that another program listens at a socket.
var ErrInUse = errors.New("another program answers on it; give this one a path of its own")

// Take makes a unix socket with a mode, in place of one that nobody listens at any more.
func Take(path string, perm fs.FileMode) (*Listener, error) {
	if Answers(path) {
		return nil, failed("listen", path, ErrInUse)
	}
	if err := Sweep(path); err != nil {
		return nil, err
	}
	return Listen(path, perm)
}

// Answers reports whether somebody listens at a socket, be it that he answers late.
func Answers(path string) bool {
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return true
	}
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, os.ErrDeadlineExceeded)
}

// Sweep removes a socket that nobody listens at any more.
func Sweep(path string) error {
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return nil
	}
	fi, statErr := os.Lstat(path)
	if !errors.Is(err, unix.ECONNREFUSED) || statErr != nil || fi.Mode().Type() != fs.ModeSocket {
		return nil
	}
	return Remove(path)
}

// Listen makes a unix socket with a mode, of which the umask takes its part. It may not be there yet.
func Listen(path string, perm fs.FileMode) (*Listener, error) {
	at, dirfd, name := path, unix.AT_FDCWD, path
	if asRoot() {
		p, err := findItself(path)
		if err != nil {
			return nil, failed("listen", path, err)
		}
		defer p.dir.close()
		if dirfd, name = p.dir.fd, p.name; p.dir.distrust != "" {
			at = fmt.Sprintf("/proc/self/fd/%d/%s", dirfd, name) // the directory that was looked at, whatever its path is by now
		}
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		// The file gets the mode of the socket: there is no moment at which it has another.
		return errors.Join(c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), uint32(perm.Perm())) }), err)
	}}
	l, err := config.Listen(context.Background(), "unix", at)
	if err != nil {
		if e, ok := errors.AsType[*net.OpError](err); ok {
			e.Addr = &net.UnixAddr{Name: path, Net: "unix"}
		}
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // it would remove whatever has the name by then
	fd, err := unix.Openat(dirfd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		l.Close()
		return nil, failed("listen", path, err)
	}
	return &Listener{Listener: l, path: path, file: fd}, nil
}

// Chown gives the socket's file to a user; -1 leaves the user or the group as it is.
func (l *Listener) Chown(uid, gid int) error {
	if err := l.itself(); err != nil {
		return failed("chown", l.path, err)
	}
	return failed("chown", l.path, unix.Fchownat(l.file, "", uid, gid, unix.AT_EMPTY_PATH))
}

// Chmod gives the socket's file a mode from which the umask takes nothing.
func (l *Listener) Chmod(perm fs.FileMode) error {
	if err := l.itself(); err != nil {
		return failed("chmod", l.path, err)
	}
	return failed("chmod", l.path, unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", l.file), uint32(perm.Perm())))
}

// itself reports what is wrong with the file. Somebody may have put another one in the place of the
// socket: it must be a socket, made by the same user and with one name.
func (l *Listener) itself() error {
	var st unix.Stat_t
	if err := unix.Fstat(l.file, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK || int(st.Uid) != unix.Geteuid() || st.Nlink != 1 {
		return errors.New("somebody has put another file in the place of the socket")
	}
	return nil
}

// Named reports whether the path still leads to the socket, so that clients find it.
func (l *Listener) Named() bool {
	var made, there unix.Stat_t
	return unix.Fstat(l.file, &made) == nil && unix.Lstat(l.path, &there) == nil &&
		made.Ino == there.Ino && made.Dev == there.Dev
}

// Close ends listening and removes the socket's file.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	if l.Named() {
		Remove(l.path) // the user of -u may not be allowed to
	}
	unix.Close(l.file)
	return err
}
