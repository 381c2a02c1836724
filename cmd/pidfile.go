// The pid file: written, and locked as long as the daemon lives.

package cmd

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
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
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	err := syscall.FcntlFlock(p.f.Fd(), syscall.F_SETLK, &lock)
	content, _ := io.ReadAll(io.LimitReader(p.f, 20)) // as long as a number; it stands in messages only
	before := strings.TrimSpace(string(content))
	if err != nil {
		return fmt.Errorf("another ulogd already running with pid %s (it holds %s)", before, p.path)
	}
	if before != "" {
		log.Warn("removing stale pidfile for pid " + before)
	}
	if err := p.f.Truncate(0); err != nil {
		return err
	}
	_, err = p.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// remove takes the file away. Where the daemon's user may not, it stays, empty rather than pointing at somebody else.
func (p *pidFile) remove() error {
	err := os.Remove(p.path)
	if err != nil {
		err = errors.Join(err, p.f.Truncate(0))
	}
	return errors.Join(err, p.f.Close())
}
