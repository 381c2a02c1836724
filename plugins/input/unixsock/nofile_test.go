// What happens when the process has no file descriptor left for a client.

package unixsock

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoFileDescriptorLeft: the client waits until there is one, and nothing that it sends is lost.
func TestNoFileDescriptorLeft(t *testing.T) {
	all := messages(t)
	d, path := start(t, "")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0 // what is open stays usable
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	restored := false
	restore := func() {
		if !restored {
			restored = true
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
				t.Error(err)
			}
		}
	}
	defer restore()
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if _, err := unix.Write(fd, m); err != nil {
			t.Fatal(err)
		}
	}
	d.Eventually("the client cannot be accepted, several times", func() bool { return d.Count("in", "accepts_failed") >= 3 })
	if got := strings.Count(d.Log.String(), "a client cannot be accepted"); got != 1 {
		t.Errorf("the log says %d times that a client cannot be accepted: %s", got, d.Log)
	}
	restore()
	d.Eventually("its messages are there", func() bool { return d.Stats("o").Out == int64(len(all)) })
}
