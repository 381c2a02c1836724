// Unix sockets in directories of others.

package safefile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listener is a unix socket that clients connect to. Close removes its file, if it is still the
// same.
type Listener struct {
	net.Listener
	path string
	file int // the socket's file, opened as a path
}

// Listen makes a unix socket with a mode. It may not be there yet.
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

// Chown gives the socket's file to a user. Somebody may have put another file in its place: that
// must be a socket of the daemon's own kind, made by the same user and with one name.
func (l *Listener) Chown(uid, gid int) error {
	var st unix.Stat_t
	if err := unix.Fstat(l.file, &st); err != nil {
		return failed("chown", l.path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK || int(st.Uid) != unix.Geteuid() || st.Nlink != 1 {
		return failed("chown", l.path, errors.New("somebody has put another file in the place of the socket"))
	}
	return failed("chown", l.path, unix.Fchownat(l.file, "", uid, gid, unix.AT_EMPTY_PATH))
}

// Close ends listening and removes the socket's file.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	var made, there unix.Stat_t
	if unix.Fstat(l.file, &made) == nil && unix.Lstat(l.path, &there) == nil && made.Ino == there.Ino && made.Dev == there.Dev {
		Remove(l.path) // the user of -u may not be allowed to
	}
	unix.Close(l.file)
	return err
}
