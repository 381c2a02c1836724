// Where the control socket is made.

package cmd

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine/safefile"
)

// runDir is where daemons have their control sockets, unless the configuration says otherwise. Tests link programs with
// a directory of their own (-X), so that they do not meet the daemon of the host.
var runDir = "/run/ulogd"

// listen opens the socket that the configuration names, with mode 0600. One that a crash left behind is replaced; one
// that answers belongs to another daemon.
func listen(path string, log *slog.Logger) (*control, error) {
	l, err := safefile.Keep("the control socket", path, 0o600, log)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return newControl(l, path, log), nil
}

// listenAnyway opens a socket where commands look for one when the configuration does not name a path. That there can
// be none is no reason not to run.
func listenAnyway(who *account, log *slog.Logger) *control {
	dir, name := socketDir()
	if dir == "" {
		log.Info("no control socket: not root, and XDG_RUNTIME_DIR is not set", "remedy", `control = "PATH" in [global]`)
		return nil
	}
	c, err := listenIn(dir, name, who, log)
	if err != nil {
		log.Warn("no control socket, so that `ulogd stats` and `ulogd flows` cannot ask this daemon", "error", err,
			"remedy", `control = "PATH" in [global], or control = "" to do without`)
		return nil
	}
	return c
}

// socketDir returns where a daemon of this user has its socket, and the socket's name without its ending.
func socketDir() (dir, name string) {
	if os.Geteuid() == 0 || unix.Access(runDir, unix.W_OK|unix.X_OK) == nil {
		return runDir, "control"
	}
	return os.Getenv("XDG_RUNTIME_DIR"), "ulogd"
}

func listenIn(dir, name string, who *account, log *slog.Logger) (*control, error) {
	if dir == runDir && os.Geteuid() == 0 {
		if err := makeRunDir(dir, who); err != nil {
			return nil, err
		}
	}
	defer hold(dir)()
	for _, old := range socketsIn(dir, name) {
		if err := safefile.Sweep(old); err != nil {
			return nil, fmt.Errorf("control socket: %w", err)
		}
	}
	path := filepath.Join(dir, name+".sock")
	if safefile.Answers(path) {
		beside := filepath.Join(dir, fmt.Sprintf("%s-%d.sock", name, os.Getpid()))
		log.Warn("another daemon has the control socket; this one has its own beside it", "theirs", path, "socket", beside)
		path = beside
	}
	return listen(path, log)
}

// socketsIn lists the sockets of a directory that daemons have made by themselves.
func socketsIn(dir, name string) []string {
	var all []string
	for _, pattern := range []string{name + ".sock", name + "-*.sock"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern)) // the patterns are good
		all = append(all, found...)
	}
	return all
}

// makeRunDir makes the directory of the socket. It belongs to the user of -u, who is to remove the socket at the end.
func makeRunDir(dir string, who *account) error {
	if err := safefile.MkdirAll(dir, 0o755, safefile.User); err != nil {
		return err
	}
	if who == nil {
		return nil
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	if err := unix.Fchownat(fd, "", who.uid, who.gid, unix.AT_EMPTY_PATH); err != nil {
		return &fs.PathError{Op: "chown", Path: dir, Err: err}
	}
	return nil
}

// hold keeps daemons that start at the same time from taking one path: one of them looks and takes, then the other.
func hold(dir string) (release func()) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return func() {} // making the socket will say why
	}
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
			break
		}
	}
	return func() { unix.Close(fd) }
}
