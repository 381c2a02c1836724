// What is opened and made at the end of the way.

package safefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// open opens the file, or makes it where flags say so. Nothing is emptied that has not been looked
// at.
func (p *place) open(path string, flags int, perm fs.FileMode, whose For) (*os.File, error) {
	how := flags &^ (unix.O_CREAT | unix.O_EXCL | unix.O_TRUNC)
	if !p.magic {
		how |= unix.O_NOFOLLOW
	}
	for range maxLinks { // somebody else may make and remove it at the same time
		if flags&unix.O_CREAT != 0 && !p.magic {
			fd, err := unix.Openat(p.dir.fd, p.name, how|unix.O_CREAT|unix.O_EXCL, uint32(perm.Perm()))
			if err == nil {
				return p.made(fd, path, whose)
			}
			if !errors.Is(err, unix.EEXIST) || flags&unix.O_EXCL != 0 {
				return nil, err
			}
		}
		if err := p.willingly(); err != nil {
			return nil, err
		}
		fd, err := unix.Openat(p.dir.fd, p.name, how, 0)
		switch {
		case errors.Is(err, unix.ENOENT) && flags&unix.O_CREAT != 0:
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ELOOP):
			return nil, fmt.Errorf("it is a symbolic link, which is not followed: %s", p.dir.distrust)
		case err != nil:
			return nil, err
		}
		return p.found(fd, path, flags)
	}
	return nil, fmt.Errorf("somebody makes and removes it all the time")
}

// made takes a file that was not there.
func (p *place) made(fd int, path string, whose For) (*os.File, error) {
	if err := give(fd, whose); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// found takes a file that was there.
func (p *place) found(fd int, path string, flags int) (*os.File, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	if err == nil && !p.magic {
		err = p.doubt(&st)
	}
	regular := st.Mode&unix.S_IFMT == unix.S_IFREG
	if err == nil && regular && flags&unix.O_TRUNC != 0 {
		err = unix.Ftruncate(fd, 0)
	}
	if err == nil && !regular {
		err = unix.SetNonblock(fd, true) // as package os does: a write that waits can then be ended
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// willingly looks at a file before it is opened: to open a FIFO can wait for its reader, and whose
// it is is seen before.
func (p *place) willingly() error {
	if p.dir.distrust == "" {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstatat(p.dir.fd, p.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil // the open will tell
	}
	return p.doubt(&st)
}

// doubt says why a file must not be written, nil where it may. In a directory that others can
// write, a file is one that root, the user of -u or the owner of that directory made there, by one
// name alone.
func (p *place) doubt(st *unix.Stat_t) error {
	if p.dir.distrust == "" {
		return nil
	}
	remedy := "remove it, or have the directory belong to root alone"
	if kind := st.Mode & unix.S_IFMT; kind == unix.S_IFREG && st.Nlink != 1 {
		return fmt.Errorf("it has %d names, and %s: as root it is not written; %s", st.Nlink, p.dir.distrust, remedy)
	} else if kind == unix.S_IFLNK {
		return fmt.Errorf("it is a symbolic link, and %s: as root it is not followed; %s", p.dir.distrust, remedy)
	}
	if st.Uid != 0 && st.Uid != p.dir.owner && int64(st.Uid)+1 != heir.Load() {
		return fmt.Errorf("it belongs to %s, and %s: as root it is not written; %s", nameOf(st.Uid), p.dir.distrust, remedy)
	}
	return nil
}

// mkdir makes a directory of the name, unless there is one.
func (p *place) mkdir(perm fs.FileMode, whose For) error {
	err := unix.Mkdirat(p.dir.fd, p.name, uint32(perm.Perm()))
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	fd, openErr := unix.Openat(p.dir.fd, p.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if openErr != nil {
		return openErr
	}
	made := os.NewFile(uintptr(fd), p.name)
	defer made.Close()
	if err != nil {
		return nil
	}
	return handOver(made, whose)
}

// handOver gives a directory to who it was made for. Somebody else may have put another one in its place: what is handed
// over is root's, and holds nothing that he could not see before.
func handOver(made *os.File, whose For) error {
	fi, err := made.Stat()
	if err != nil {
		return err
	}
	if _, err := made.Readdirnames(1); fi.Sys().(*syscall.Stat_t).Uid != 0 || !errors.Is(err, io.EOF) {
		return errors.New("somebody else put another directory there at the same time")
	}
	return give(int(made.Fd()), whose)
}

// give hands a new file over. A directory with the set-group-ID bit has chosen the group already.
func give(fd int, whose For) error {
	uid, gid := int(heir.Load())-1, int(group.Load())-1
	if whose == Daemon || uid < 0 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if int(st.Gid) != os.Getegid() {
		gid = -1
	}
	if err := unix.Fchown(fd, uid, gid); err != nil {
		return fmt.Errorf("give it to user %d: %w", uid, err)
	}
	return nil
}
