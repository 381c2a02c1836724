package cmd

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// pidFile is a locked file with the daemon's process number. The lock goes with the process, so a file left by a crash is stale at once.
type pidFile struct {
	path string
	f    *os.File
}

func lockPidFile(path string) (*pidFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock); err != nil {
		text, _ := io.ReadAll(io.LimitReader(f, 20))
		f.Close()
		return nil, fmt.Errorf("another ulogd already running with pid %s (it holds %s)", strings.TrimSpace(string(text)), path)
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		f.Close()
		return nil, err
	}
	return &pidFile{path, f}, nil
}

func (p *pidFile) remove() error {
	err := os.Remove(p.path)
	if err != nil { // not ours to remove any more: leave it empty rather than pointing at somebody else
		err = p.f.Truncate(0)
	}
	p.f.Close()
	return err
}
