// The pid file: written, and locked as long as the daemon lives.

package cmd

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"ulogd/engine/safefile"
)

// pidFile is a locked file with the daemon's process number. The lock goes with the process, so a file left by a crash is stale at once.
type pidFile struct {
	path string
	f    *os.File
}

func lockPidFile(path string, log *slog.Logger) (*pidFile, error) {
	path, err := filepath.Abs(path) // it is removed from another working directory
	if err != nil {
		return nil, err
	}
	f, err := safefile.Open(path, os.O_RDWR|os.O_CREATE, 0o644, safefile.Daemon)
	if err != nil {
		return nil, fmt.Errorf("pid file: %w", err)
	}
	p := &pidFile{path, f}
	if err := p.take(log); err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

func (p *pidFile) take(log *slog.Logger) error {
	if fi, err := p.f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return fmt.Errorf("pid file: %s is no regular file; give another path", p.path)
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	err := syscall.FcntlFlock(p.f.Fd(), syscall.F_SETLK, &lock)
	before, isPid := p.before()
	switch {
	case err != nil && before != 0:
		return fmt.Errorf("another ulogd already running with pid %d (it holds %s)", before, p.path)
	case err != nil:
		return fmt.Errorf("another process holds the pid file %s: %w", p.path, err)
	case !isPid: // what it holds is somebody's, and none of a log's business
		return fmt.Errorf("pid file: %s holds something else than a pid; remove it, or give another path", p.path)
	case before != 0:
		log.Warn(fmt.Sprintf("removing stale pidfile for pid %d", before))
	}
	if err := p.f.Truncate(0); err != nil {
		return err
	}
	_, err = p.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// before reads the number in the file, 0 if it is empty, and reports whether there is nothing else in it.
func (p *pidFile) before() (pid int, ok bool) {
	content := make([]byte, 32)
	n, _ := p.f.ReadAt(content, 0)
	text := strings.TrimSpace(string(content[:n]))
	if text == "" {
		return 0, n < len(content)
	}
	pid, err := strconv.Atoi(text)
	if err != nil || pid < 1 {
		return 0, false
	}
	return pid, true
}

// remove takes the file away. Where the daemon's user may not, it stays, empty rather than pointing at somebody else.
func (p *pidFile) remove() error {
	err := safefile.Remove(p.path)
	if err != nil {
		err = errors.Join(err, p.f.Truncate(0))
	}
	return errors.Join(err, p.f.Close())
}
