// Package systemdtest boots a machine with systemd for a test: namespaces of its own, over a copy of a
// root directory that ends with the test. Units are run as they are where they are used.
package systemdtest

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

//go:embed boot.sh
var bootScript string

// A Machine runs systemd, and what a test starts there.
type Machine struct {
	*testing.T
	pid int
	log string // what systemd says
}

// Boot boots a machine with the files of a root directory, which stay as they are.
func Boot(t *testing.T, root string) *Machine {
	t.Helper()
	nstest.Need(t, "root", "tool:/lib/systemd/systemd", "tool:nsenter", "tool:unshare")
	dir := t.TempDir()
	group := "ulogdtest-" + filepath.Base(filepath.Dir(dir)) + "-" + fmt.Sprint(os.Getpid())
	m := &Machine{T: t, log: filepath.Join(dir, "log")}
	log, err := os.Create(m.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	own := filepath.Join(dir, "own")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-c", bootScript, "boot", root, own, group)
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC |
			syscall.CLONE_NEWNET,
		Pdeathsig: syscall.SIGKILL,
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill() // and with the first process all others
		c.Wait()
		removeGroups(t, group)
	})
	m.pid = c.Process.Pid
	nstest.Eventually(t, time.Minute, func() error {
		out, err := m.command("systemctl is-system-running").CombinedOutput()
		if err != nil {
			said, _ := os.ReadFile(m.log)
			return fmt.Errorf("systemd does not run: %w: %s%s", err, out, said)
		}
		return nil
	})
	return m
}

// removeGroups removes the machine's control groups, whose processes have ended.
func removeGroups(t *testing.T, group string) {
	nstest.Eventually(t, time.Minute, func() (err error) {
		for _, tree := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"} {
			var dirs []string
			filepath.WalkDir(filepath.Join(tree, group), func(path string, d fs.DirEntry, failed error) error {
				if failed == nil && d.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
			for i := len(dirs) - 1; i >= 0; i-- {
				err = errors.Join(err, syscall.Rmdir(dirs[i]))
			}
		}
		return err
	})
}

// command is a shell script in the machine.
func (m *Machine) command(script string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{
		"--target", fmt.Sprint(m.pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--root",
		"env", "--chdir=/", "sh", "-c", script, "sh",
	}, args...)...)
}

// Try runs a shell script in the machine and returns what it says.
func (m *Machine) Try(script string, args ...string) (string, error) {
	c := m.command(script, args...)
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"}
	out, err := c.CombinedOutput()
	return string(out), err
}

// Run is Try for what must succeed.
func (m *Machine) Run(script string, args ...string) string {
	m.Helper()
	out, err := m.Try(script, args...)
	if err != nil {
		m.Fatalf("%s %q: %v\n%s\n%s", script, args, err, out, m.Said())
	}
	return out
}

// Path is a file of the machine, as the test sees it.
func (m *Machine) Path(path string) string { return fmt.Sprintf("/proc/%d/root%s", m.pid, path) }

// Put writes a file, and the directories above it.
func (m *Machine) Put(path, text string) {
	m.Helper()
	if err := os.MkdirAll(filepath.Dir(m.Path(path)), 0o755); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(m.Path(path), []byte(text), 0o644); err != nil {
		m.Fatal(err)
	}
}

// Install copies a file of the test's into the machine.
func (m *Machine) Install(from, to string, perm fs.FileMode) {
	m.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		m.Fatal(err)
	}
	os.Remove(m.Path(to)) // what runs from it runs on
	m.Put(to, string(text))
	if err := os.Chmod(m.Path(to), perm); err != nil {
		m.Fatal(err)
	}
}

// Property is what systemd says of a unit.
func (m *Machine) Property(unit, name string) string {
	m.Helper()
	return strings.TrimSpace(m.Run(`systemctl show --value --property "$1" "$2"`, name, unit))
}

// Said is what systemd and its services have said.
func (m *Machine) Said() string {
	text, err := os.ReadFile(m.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
