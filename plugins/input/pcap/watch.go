// Directories that are being filled with capture files.

package pcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine/safefile"
)

// watch finds the files of directories and globs that are whole: nobody writes them any more.
type watch struct {
	patterns []string
	taken    *taken
	log      *slog.Logger

	fd     int              // inotify
	dirs   map[int32]string // by inotify's number
	closed map[string]bool  // files that somebody has closed after writing, or moved there
	due    time.Time        // when all are looked at although inotify tells nothing
	deaf   bool             // inotify does not tell, which has been said
}

const (
	// lookEvery is how often the directories are looked at: those of network file systems, which
	// tell nothing of what other machines do, and what a glob has become.
	lookEvery = 5 * time.Second
	// quiet is for how long a file must not have changed, and a later one been there, where it
	// cannot be told whether somebody writes it.
	quiet = 10 * time.Second
)

// openWatch begins to watch. Without wait a directory must be there.
func openWatch(patterns []string, wait bool, taken *taken, log *slog.Logger) (*watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", strings.Join(patterns, ", "), err)
	}
	w := &watch{
		patterns: patterns, taken: taken, log: log, fd: fd,
		dirs: map[int32]string{}, closed: map[string]bool{},
	}
	for _, p := range patterns {
		if dirs, _ := place(p); len(dirs) == 0 && !wait {
			unix.Close(fd)
			return nil, fmt.Errorf("follow %s: there is no such directory; with wait = true it is waited for", p)
		}
	}
	return w, nil
}

func (w *watch) close() { unix.Close(w.fd) }

// place returns the directories that a pattern speaks of, and the names in them.
func place(pattern string) (dirs []string, names string) {
	if info, err := os.Stat(pattern); err == nil && info.IsDir() {
		return []string{filepath.Clean(pattern)}, "*"
	}
	matches, _ := filepath.Glob(filepath.Dir(pattern)) // Validate has seen the pattern
	for _, m := range matches {
		if info, err := os.Stat(m); err == nil && info.IsDir() {
			dirs = append(dirs, m)
		}
	}
	return dirs, filepath.Base(pattern)
}

// wait returns files that are whole and have not been taken, in the order of their first packets.
// It returns none at the deadline, or when there was a change of another kind.
func (w *watch) wait(deadline time.Time) ([]string, error) {
	if now := time.Now(); now.After(w.due) {
		return w.look(now), nil
	}
	if w.due.Before(deadline) {
		deadline = w.due
	}
	woken, err := poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}, deadline)
	if err != nil || !woken {
		return nil, err
	}
	w.hear()
	return w.look(time.Now()), nil
}

// candidate is a file that has not been taken.
type candidate struct {
	path string
	info fs.FileInfo
}

// look looks at all files.
func (w *watch) look(now time.Time) []string {
	w.due = now.Add(lookEvery)
	var all []candidate
	there := map[string]bool{}
	newest := map[string]time.Time{} // by directory
	for _, p := range w.patterns {
		dirs, names := place(p)
		for _, dir := range dirs {
			w.listen(dir)
			for _, path := range list(dir, names) {
				info, err := os.Stat(path)
				if err != nil || !info.Mode().IsRegular() || there[path] {
					continue
				}
				there[path] = true
				if t := info.ModTime(); t.After(newest[dir]) {
					newest[dir] = t
				}
				if info.Size() > 0 && !w.taken.has(path, info) {
					all = append(all, candidate{path, info})
				}
			}
		}
	}
	w.taken.forget(there)
	closed := map[string]bool{}
	var whole []string
	for _, c := range all {
		if w.whole(c, newest[filepath.Dir(c.path)], now) {
			w.taken.add(c.path, c.info)
			whole = append(whole, c.path)
		} else if w.closed[c.path] {
			closed[c.path] = true
		}
	}
	w.closed = closed
	return byTime(whole, safefile.OpenOthers)
}

// list returns the files of a directory. What begins with a dot is not whole: programs that copy
// give such names until it is.
func list(dir, names string) (paths []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		ok, _ := filepath.Match(names, e.Name())
		if ok && (e.Name()[0] != '.' || names[0] == '.') {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

// whole reports whether nobody writes a file any more. Where the kernel does not say, somebody has
// closed it, or there is a later one and it has been quiet.
func (w *watch) whole(c candidate, newest, now time.Time) bool {
	switch writers(c.path) {
	case nobody:
		return true
	case somebody:
		return false
	}
	changed := c.info.ModTime()
	return w.closed[c.path] || changed.Before(newest) && now.Sub(changed) > quiet
}

// What writers tells.
const (
	unknown = iota
	nobody
	somebody
)

// writers asks whether a file is open for writing: the kernel gives a lease for reading only if it
// is not (fcntl(2)), to the file's owner and to root.
func writers(path string) int {
	f, err := safefile.OpenOthers(path)
	if err != nil {
		return nobody // whoever reads it will say why that cannot be done
	}
	defer f.Close()
	fd := f.Fd()
	var fs unix.Statfs_t
	if unix.Fstatfs(int(fd), &fs) != nil || remote(uint32(fs.Type)) {
		return unknown
	}
	_, err = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK)
	switch {
	case err == nil:
		unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK)
		return nobody
	case errors.Is(err, unix.EAGAIN):
		return somebody
	}
	return unknown
}

// remote reports whether somebody else may write the files of a file system (linux/magic.h).
func remote(magic uint32) bool {
	switch magic {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC,
		unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC, unix.AFS_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC:
		return true
	}
	return false
}

// listen has inotify tell of a directory; a directory that it tells of already stays as it is.
func (w *watch) listen(dir string) {
	wd, err := unix.InotifyAddWatch(w.fd, dir, unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO|unix.IN_ONLYDIR)
	if err == nil {
		w.dirs[int32(wd)] = dir
		return
	}
	if !w.deaf {
		w.deaf = true
		w.log.Warn("a directory is only looked at from time to time; a larger fs.inotify.max_user_watches may help",
			"directory", dir, "every", lookEvery.String(), "error", err)
	}
}

// hear takes what inotify tells (inotify(7)).
func (w *watch) hear() {
	var buf [16 << 10]byte
	for {
		n, err := unix.Read(w.fd, buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			wd, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
			end := min(len(b), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:])))
			if name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:end]), "\x00"); name != "" {
				w.closed[filepath.Join(w.dirs[wd], name)] = true
			}
			if mask&unix.IN_IGNORED != 0 {
				delete(w.dirs, wd)
			}
			b = b[end:]
		}
	}
}
