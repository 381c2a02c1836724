// The directory of one output: a lock, and a spool for each collector.

package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ulogd/engine/safefile"
)

// A Dir is a locked directory of spools.
type Dir struct {
	path string
	lock *os.File
	open []string
}

// OpenDir makes the directory if need be and locks it. The lock ends with the process, however that
// ends. What is made in it belongs to the user that the daemon will become; in a directory of
// somebody else's no link is followed, so that whoever owns it cannot have root empty a file of
// root's.
func OpenDir(path string) (*Dir, error) {
	if err := safefile.MkdirAll(path, 0o700, safefile.User); err != nil {
		return nil, fmt.Errorf("make the spool: %w", err)
	}
	lock, err := safefile.Regular(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600, safefile.User)
	if err != nil {
		return nil, fmt.Errorf("lock the spool: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer lock.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the spool %s: %w", path, err)
		}
		return nil, fmt.Errorf("lock the spool %s: %s has it; give each output a directory of its own", path, holder(lock))
	}
	d := &Dir{path: path, lock: lock}
	if err := lock.Truncate(0); err == nil {
		fmt.Fprintf(lock, "%d\n", os.Getpid())
	}
	return d, nil
}

// holder says who has the lock.
func holder(lock *os.File) string {
	text, err := io.ReadAll(io.LimitReader(lock, 20))
	pid, err2 := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil || err2 != nil:
		return "another process"
	case pid == os.Getpid():
		return "another output of this daemon"
	}
	return fmt.Sprintf("process %d", pid)
}

// Open opens the spool of that name, which is a collector's address.
func (d *Dir) Open(name string, c Config) (*Spool, error) {
	path := filepath.Join(d.path, name)
	if slices.Contains(d.open, name) {
		return nil, fmt.Errorf("open the spool %s: it is open; name each collector once", path)
	}
	if err := safefile.MkdirAll(path, 0o700, safefile.User); err != nil {
		return nil, fmt.Errorf("make the spool of a collector: %w", err)
	}
	s, err := open(path, c)
	if err != nil {
		return nil, err
	}
	d.open = append(d.open, name)
	return s, nil
}

// Others returns the spools in the directory that hold something and were not opened: of collectors
// that are no longer told.
func (d *Dir) Others() (paths []string) {
	entries, _ := os.ReadDir(d.path) // what cannot be listed could not have been opened
	for _, e := range entries {
		path := filepath.Join(d.path, e.Name())
		if !e.IsDir() || slices.Contains(d.open, e.Name()) {
			continue
		}
		files, _ := os.ReadDir(path)
		if slices.ContainsFunc(files, func(f os.DirEntry) bool { return strings.HasSuffix(f.Name(), suffix) }) {
			paths = append(paths, path)
		}
	}
	return paths
}

// Close unlocks the directory.
func (d *Dir) Close() error { return d.lock.Close() }
