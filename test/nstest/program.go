// The daemon's program, built once for a package's tests.

package nstest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// BuildDaemon builds the program into a folder and returns its path. It carries no version, so that
// no state of the work tree can stop it. Where tests run under an emulator (ULOGD_TEST_EXEC), so
// does the program. Its control sockets are in the folder, unless a configuration says otherwise:
// tests of several packages, and a daemon of the host, do not meet. with is what else `go build` is told.
func BuildDaemon(dir string, with ...string) (path string, err error) {
	path = filepath.Join(dir, "ulogd")
	if emulator := os.Getenv("ULOGD_TEST_EXEC"); emulator != "" {
		script := path
		path += ".bin"
		if err := os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\nexec %s %s \"$@\"\n", emulator, path), 0o755); err != nil {
			return "", err
		}
		defer func() { path = script }()
	}
	flags := "-ldflags=-w -X ulogd/cmd.runDir=" + filepath.Join(dir, "run") // who debugs has its own
	args := append([]string{"build", "-buildvcs=false", flags, "-o", path}, with...)
	build := exec.Command("go", append(args, "ulogd/cmd/ulogd")...)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the daemon: %w\n%s", err, out)
	}
	return path, nil
}

// A Daemon is the program as it is built, when a test first asks for it.
type Daemon struct {
	With []string // what else `go build` is told

	once      sync.Once
	dir, path string
	err       error
}

// Path returns the path of the program.
func (d *Daemon) Path(t testing.TB) string {
	t.Helper()
	d.once.Do(func() {
		if d.dir, d.err = os.MkdirTemp("", "ulogd-"); d.err != nil {
			return
		}
		d.path, d.err = BuildDaemon(d.dir, d.With...)
	})
	if d.err != nil {
		t.Fatal(d.err)
	}
	return d.path
}

// Main runs a package's tests, for its TestMain, and removes the program.
func (d *Daemon) Main(m *testing.M) (code int) {
	code = m.Run()
	if d.dir != "" {
		os.RemoveAll(d.dir)
	}
	return code
}
