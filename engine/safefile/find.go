// The way from / to a file, step by step.

package safefile

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// dir is an open directory.
type dir struct {
	fd   int
	path string
	// distrust says who besides root may put what they like here, or into a directory above; "" if
	// nobody.
	distrust string
	owner    uint32
	// writers says who besides root may put names here, and shaky who may put another directory in the
	// place of this one; "" if nobody. What is root's in root's own directory with the sticky bit, such as
	// /tmp, stays where it is.
	writers, shaky string
	sticky         bool
}

func (d *dir) close() { unix.Close(d.fd) }

// place is a name in a directory. The name may be missing there.
type place struct {
	dir   *dir
	name  string
	magic bool // a link that the kernel makes up, such as /proc/self/fd/1
}

// maxLinks is how many links a path may lead through, as for the kernel.
const maxLinks = 40

// find goes to the directory of a file. Where the file is a link that may be followed, it goes to
// what the link names.
func find(path string) (*place, error) { return walk(path, true) }

// findItself goes to a name, be it a link or not: what is removed or renamed is the name.
func findItself(path string) (*place, error) { return walk(path, false) }

// walk follows a path. The directory that it returns, and nothing else, is left open.
func walk(path string, follow bool) (_ *place, err error) {
	if path == "" {
		return nil, unix.ENOENT
	}
	if !strings.HasPrefix(path, "/") {
		wd, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		path = wd + "/" + path
	}
	d, err := root()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	left, links := parts(path), 0
	for len(left) > 0 {
		name := left[0]
		left = left[1:]
		if name == ".." && d.distrust != "" {
			return nil, fmt.Errorf("%s in the path behind %s, %s; write the path without it", name, d.path, d.distrust)
		}
		last := len(left) == 0
		var st unix.Stat_t
		err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		switch {
		case last && (errors.Is(err, unix.ENOENT) || err == nil && (st.Mode&unix.S_IFMT != unix.S_IFLNK || !follow)):
			return &place{dir: d, name: name}, nil
		case err != nil:
			return nil, err
		case st.Mode&unix.S_IFMT != unix.S_IFLNK:
			if d, err = d.step(name, unix.O_NOFOLLOW); err != nil {
				return nil, err
			}
			continue
		case d.distrust != "":
			return nil, fmt.Errorf("%s is a symbolic link, and %s: as root it is not followed; write the path without it", d.join(name), d.distrust)
		}
		if links++; links > maxLinks {
			return nil, unix.ELOOP
		}
		target, magic, err := d.readlink(name)
		switch {
		case err != nil:
			return nil, err
		case magic && last:
			return &place{dir: d, name: name, magic: true}, nil
		case magic:
			if d, err = d.step(name, 0); err != nil {
				return nil, err
			}
			d.distrust = d.path + " may be anywhere"
			d.shaky = d.distrust
			continue
		case strings.HasPrefix(target, "/"):
			r, err := root()
			if err != nil {
				return nil, err
			}
			d.close()
			d = r
		}
		left = append(parts(target), left...)
	}
	return &place{dir: d, name: "."}, nil
}

// openDir opens a directory.
func openDir(path string) (*dir, error) {
	p, err := find(path)
	if err != nil {
		return nil, err
	}
	d, err := p.dir.step(p.name, unix.O_NOFOLLOW)
	if err != nil {
		p.dir.close()
	}
	return d, err
}

// parts splits a path at its slashes.
func parts(path string) (list []string) {
	for p := range strings.SplitSeq(path, "/") {
		if p != "" && p != "." {
			list = append(list, p)
		}
	}
	return list
}

func root() (*dir, error) {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	d := &dir{fd: fd, path: "/"}
	if err := d.judge(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *dir) join(name string) string { return strings.TrimSuffix(d.path, "/") + "/" + name }

// step goes into a directory and closes the one that it comes from, unless it fails.
func (d *dir) step(name string, flags int) (*dir, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return d, err
	}
	next := &dir{fd: fd, path: d.join(name), distrust: d.distrust, shaky: d.shaky}
	if err := next.judge(); err != nil {
		next.close()
		return d, err
	}
	if next.owner != 0 || !d.sticky {
		next.shaky = cmp.Or(d.shaky, d.writers)
	}
	d.close()
	return next, nil
}

// judge finds out who may write the directory. What an access control list lets others do shows in the group's bits,
// whatever the group.
func (d *dir) judge() error {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return err
	}
	d.owner, d.sticky = st.Uid, st.Uid == 0 && st.Mode&unix.S_ISVTX != 0
	switch {
	case st.Uid != 0:
		d.writers = fmt.Sprintf("%s belongs to %s", d.path, nameOf(st.Uid))
	case st.Mode&0o002 != 0:
		d.writers = fmt.Sprintf("everybody may write %s", d.path)
	case st.Mode&0o020 != 0 && st.Gid != 0:
		d.writers = fmt.Sprintf("group %d may write %s", st.Gid, d.path)
	case st.Mode&0o020 != 0 && d.listed():
		d.writers = fmt.Sprintf("%s has an access control list by which others may write it", d.path)
	}
	d.distrust = cmp.Or(d.distrust, d.writers)
	return nil
}

// listed reports whether the directory has an access control list, or does not say.
func (d *dir) listed() bool {
	_, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", d.fd), "system.posix_acl_access", nil)
	return !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP)
}

// readlink reads a link. Those of /proc/PID do not name where they lead.
func (d *dir) readlink(name string) (target string, magic bool, err error) {
	buf := make([]byte, 4096)
	n, err := unix.Readlinkat(d.fd, name, buf)
	if err != nil {
		return "", false, err
	}
	target = string(buf[:n])
	var at unix.Statfs_t
	if err := unix.Fstatfs(d.fd, &at); err != nil {
		return "", false, err
	}
	inProc := at.Type == unix.PROC_SUPER_MAGIC
	return target, inProc && (strings.HasPrefix(target, "/") || strings.Contains(target, ":[")), nil
}

// nameOf names a user for people.
func nameOf(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}
