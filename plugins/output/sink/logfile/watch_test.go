// Files that change under the output.

package logfile

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/engine/safefile"
	"ulogd/test/nstest"
)

func header() []byte { return []byte("HEAD\n") }

// TestCopyTruncate cuts the file as logrotate's copytruncate does: what follows begins with the
// header.
func TestCopyTruncate(t *testing.T) {
	for _, sections := range []bool{false, true} {
		f, _ := open(t, &File{Path: filepath.Join(t.TempDir(), "x"), Header: header, Sections: sections})
		for _, record := range []string{"one\n", "two\n"} {
			before := f.Epoch()
			lines(f, record)
			f.Tick(time.Now())
			if got, want := content(t, f.file.Path), "HEAD\n"+record; got != want {
				t.Errorf("sections %v: the file has %q, want %q", sections, got, want)
			}
			if record == "two\n" && f.Epoch() == before {
				t.Error("the epoch does not tell that the file was cut")
			}
			if err := os.Truncate(f.file.Path, 0); err != nil {
				t.Fatal(err)
			}
		}
		f.Tick(time.Now().Add(2 * lookEvery)) // also while no records come
		if got := content(t, f.file.Path); got != "HEAD\n" {
			t.Errorf("sections %v: without records the file that was cut has %q", sections, got)
		}
		counts(t, f, 2, 0, 0)
	}
}

// TestFIFOReaderExchanged has the next reader open the FIFO before the first has closed it, so that
// no write fails.
func TestFIFOReaderExchanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	read := func() (*os.File, *bufio.Reader) {
		r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		return r, bufio.NewReader(r)
	}
	first, in := read()
	f, _ := open(t, &File{Path: path, Header: header})
	want := func(in *bufio.Reader, text string) {
		t.Helper()
		got := make([]byte, len(text))
		if _, err := io.ReadFull(in, got); string(got) != text {
			t.Errorf("the reader got %q, %v; want %q", got, err, text)
		}
	}
	lines(f, "one\n")
	f.Tick(time.Now())
	want(in, "HEAD\none\n")
	second, in2 := read()
	first.Close()
	lines(f, "two\n")
	f.Tick(time.Now())
	want(in2, "HEAD\ntwo\n")
	second.Close()
	lines(f, "lost\n")
	f.Tick(time.Now())
	third, in3 := read()
	defer third.Close()
	f.Tick(time.Now())
	lines(f, "three\n")
	f.Tick(time.Now())
	want(in3, "HEAD\nthree\n")
	counts(t, f, 3, 1, 0)
}

func TestDeletedFileIsAWarning(t *testing.T) {
	f, log := open(t, &File{Path: filepath.Join(t.TempDir(), "x")})
	if err := os.Remove(f.file.Path); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range 5 {
		f.Tick(now.Add(time.Duration(i+1) * lookEvery))
	}
	if n := strings.Count(log.String(), "was deleted"); n != 1 {
		t.Errorf("%d warnings, want 1:\n%s", n, log)
	}
}

// TestRootFollowsNoLinkOfOthers has another user put a link where root is to write.
func TestRootFollowsNoLinkOfOthers(t *testing.T) {
	nstest.Need(t, "root")
	dir := t.TempDir()
	target, theirs := filepath.Join(dir, "shadow"), filepath.Join(dir, "theirs")
	if err := os.WriteFile(target, []byte("precious\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(theirs, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(theirs, "x.log")
	f, log := open(t, &File{Path: path})
	lines(f, "one\n")
	f.Tick(time.Now())
	if err := os.Chown(theirs, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	f.file.Reopen()
	lines(f, "two\n")
	f.Tick(time.Now())
	if got := content(t, target); got != "precious\n" {
		t.Errorf("root wrote through another user's link: %q", got)
	}
	if got := content(t, path+".1"); got != "one\ntwo\n" {
		t.Errorf("the old file has %q", got)
	}
	if !strings.Contains(log.String(), "symbolic link") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// TestFileOfTheUser makes a file as root: it belongs to whom the daemon will become, and what that
// user cannot open again is said.
func TestFileOfTheUser(t *testing.T) {
	nstest.Need(t, "root")
	const nobody = 65534
	safefile.GiveTo(nobody, nobody)
	defer safefile.GiveTo(0, 0)
	f, _ := open(t, &File{Path: filepath.Join(t.TempDir(), "x")})
	var st syscall.Stat_t
	if err := syscall.Stat(f.file.Path, &st); err != nil || st.Uid != nobody || st.Gid != nobody {
		t.Errorf("the file belongs to %d:%d, %v; want %d", st.Uid, st.Gid, err, nobody)
	}
}
