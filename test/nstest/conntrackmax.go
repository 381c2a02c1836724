// The size limit of conntrack tables, nf_conntrack_max. The machine has one, only the first network
// namespace can write it, and several test binaries may run at once: a file lock lets one of them
// at a time raise it, so storms of different packages follow one another.

package nstest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

const maxPath = "/proc/sys/net/netfilter/nf_conntrack_max"

// raised is this process's share of the limit. Tests within it share the lock; the last one puts
// the limit back.
var raised struct {
	sync.Mutex
	users  int
	lock   *os.File // holds the limit to put back, for those who come after a crash
	before int
}

// ConntrackMax makes room for n conntrack entries in each namespace until the test ends. It never
// lowers the limit, and waits while tests of another process have it raised.
func ConntrackMax(t testing.TB, n int) {
	t.Helper()
	Need(t, "root", "nf_conntrack")
	raised.Lock()
	defer raised.Unlock()
	if raised.users == 0 {
		if err := lockMax(); err != nil {
			t.Fatal(err)
		}
	}
	raised.users++
	t.Cleanup(func() {
		raised.Lock()
		defer raised.Unlock()
		if raised.users--; raised.users == 0 {
			if err := unlockMax(); err != nil {
				t.Error(err)
			}
		}
	})
	now, err := readNumber(maxPath)
	if err == nil && now < n {
		err = writeMax(n)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// lockMax takes the lock and notes the limit to put back.
func lockMax() error {
	lock, err := lockFile(filepath.Join(os.TempDir(), prefix+"-nf_conntrack_max"))
	if err != nil {
		return err
	}
	before, err := readNumber(lock.Name()) // what a crashed holder wanted back
	if err != nil {
		before, err = readNumber(maxPath)
	}
	if err == nil {
		_, err = lock.WriteAt([]byte(strconv.Itoa(before)), 0)
	}
	if err != nil {
		lock.Close()
		return err
	}
	raised.lock, raised.before = lock, before
	return nil
}

// unlockMax puts the limit back and removes the lock file while it is still ours.
func unlockMax() error {
	defer raised.lock.Close()
	if err := writeMax(raised.before); err != nil {
		return err
	}
	return os.Remove(raised.lock.Name())
}

// lockFile waits for the lock of a file that each holder removes: what it locked may by then be a
// nameless file that the next one no longer sees, so it looks again.
func lockFile(path string) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		named, err := os.Stat(path)
		if locked, lockedErr := file.Stat(); err == nil && lockedErr == nil && os.SameFile(named, locked) {
			return file, nil
		}
		file.Close()
	}
}

func readNumber(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func writeMax(n int) error {
	if err := os.WriteFile(maxPath, []byte(strconv.Itoa(n)), 0); err != nil {
		return fmt.Errorf("set nf_conntrack_max = %d (only the first network namespace can): %w", n, err)
	}
	return nil
}
