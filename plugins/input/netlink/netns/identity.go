// Which namespace a name stands for.

package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// identity is an inode of nsfs. It stands for one namespace as long as somebody, such as a socket,
// is in it.
type identity struct{ dev, ino uint64 }

// errMissing says that the name stands for no namespace.
var errMissing = errors.New("there is no network namespace")

// IsMissing reports whether an error says that there is no namespace of that name.
func IsMissing(err error) bool { return errors.Is(err, errMissing) }

// enter calls f in the namespace of a file, and returns which one that is.
func enter(path string, f func() error) (identity, error) {
	ns, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return identity{}, fmt.Errorf("network_namespace_path: %w: %w", err, errMissing)
	} else if err != nil {
		return identity{}, fmt.Errorf("network_namespace_path: %w", err)
	}
	there, err := identityOf(int(ns.Fd()))
	if err != nil {
		ns.Close()
		return identity{}, fmt.Errorf("network_namespace_path: %s: %w", path, err)
	}
	return there, within(ns, f)
}

// Here returns the inode number of the namespace that the calling thread is in, for a function that
// Do calls; 0 if it cannot be told.
func Here() uint64 {
	there, err := identify("/proc/thread-self/ns/net")
	if err != nil {
		return 0
	}
	return there.ino
}

// identify returns the namespace that a name stands for.
func identify(path string) (identity, error) {
	var system unix.Statfs_t
	var file unix.Stat_t
	if err := unix.Statfs(path, &system); err != nil {
		return identity{}, err
	}
	return judge(&system, &file, unix.Stat(path, &file))
}

func identityOf(fd int) (identity, error) {
	var system unix.Statfs_t
	var file unix.Stat_t
	if err := unix.Fstatfs(fd, &system); err != nil {
		return identity{}, err
	}
	return judge(&system, &file, unix.Fstat(fd, &file))
}

func judge(system *unix.Statfs_t, file *unix.Stat_t, err error) (identity, error) {
	if err != nil {
		return identity{}, err
	}
	if int64(system.Type) != unix.NSFS_MAGIC { // `ip netns add` first makes an empty file
		return identity{}, errMissing
	}
	return identity{uint64(file.Dev), file.Ino}, nil
}
