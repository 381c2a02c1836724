// Package safefile opens files as root where others may have a say.
//
// A daemon that starts as root and writes into directories of other users must not be led astray: a
// symbolic link or a hard link in such a directory would have it write into, empty or give away any
// file of the machine. So as root no link is followed below the first directory that somebody else
// can write, and a file that is found there must be one that its owner could have had written
// anyway. Links of root's own directories, such as /var/run, and those of the kernel, such as
// /dev/stdout, work as they do everywhere.
//
// Whoever is not root opens files as package os does: the kernel's own checks are enough then.
package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// For says whose a file is to be that is made by root.
type For bool

// Outputs, logs and spools are opened again when the daemon has become the user of -u. What root
// alone may change is the daemon's.
const (
	User   For = true
	Daemon For = false
)

// heir is who the daemon will be: the user and the group, each plus one; 0 where it stays who it
// is.
var heir, group atomic.Int64

// GiveTo names the user that the daemon will become. It is called before anything is opened.
func GiveTo(uid, gid int) {
	heir.Store(int64(uid) + 1)
	group.Store(int64(gid) + 1)
}

// asRoot reports whether links must be looked at.
func asRoot() bool { return os.Geteuid() == 0 }

// Open opens a file as [os.OpenFile] does, unless it is root who would be led astray.
func Open(path string, flags int, perm fs.FileMode, whose For) (*os.File, error) {
	if !asRoot() {
		return os.OpenFile(path, flags, perm)
	}
	p, err := find(path)
	if err != nil {
		return nil, failed("open", path, err)
	}
	defer p.dir.close()
	f, err := p.open(path, flags|unix.O_CLOEXEC, perm, whose)
	if err != nil {
		return nil, failed("open", path, err)
	}
	return f, nil
}

// OpenOthers opens for reading what others may have put into a directory, whoever it belongs to: as root no link of
// theirs is followed, and nothing is waited for that would have to be opened by somebody else, too.
func OpenOthers(path string) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC
	if !asRoot() {
		return os.OpenFile(path, flags, 0)
	}
	p, err := find(path)
	if err != nil {
		return nil, failed("open", path, err)
	}
	defer p.dir.close()
	fd, err := unix.Openat(p.dir.fd, p.name, flags|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, failed("open", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Remove removes a file, or an empty directory.
func Remove(path string) error {
	if !asRoot() {
		return os.Remove(path)
	}
	p, err := findItself(path)
	if err != nil {
		return failed("remove", path, err)
	}
	defer p.dir.close()
	err = unix.Unlinkat(p.dir.fd, p.name, 0)
	if errors.Is(err, unix.EISDIR) {
		err = unix.Unlinkat(p.dir.fd, p.name, unix.AT_REMOVEDIR)
	}
	return failed("remove", path, err)
}

// Rename gives a file another name.
func Rename(from, to string) error {
	if !asRoot() {
		return os.Rename(from, to)
	}
	a, err := findItself(from)
	if err != nil {
		return failed("rename", from, err)
	}
	defer a.dir.close()
	b, err := findItself(to)
	if err != nil {
		return failed("rename", to, err)
	}
	defer b.dir.close()
	if err := unix.Renameat(a.dir.fd, a.name, b.dir.fd, b.name); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// MkdirAll makes a directory and those above it that are missing. The directory itself, if it is
// made, is the user's where whose says so; those above it stay root's.
func MkdirAll(path string, perm fs.FileMode, whose For) error {
	if !asRoot() {
		return os.MkdirAll(path, perm)
	}
	d, err := openDir(path)
	if err == nil {
		d.close()
		return nil
	}
	if !errors.Is(err, unix.ENOENT) {
		return failed("mkdir", path, err)
	}
	if above := filepath.Dir(filepath.Clean(path)); above != filepath.Clean(path) {
		if err := MkdirAll(above, 0o755, Daemon); err != nil {
			return err
		}
	}
	p, err := find(path)
	if err != nil {
		return failed("mkdir", path, err)
	}
	defer p.dir.close()
	return failed("mkdir", path, p.mkdir(perm, whose))
}

func failed(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}
