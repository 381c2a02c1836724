// What is no more than a file on disk, and small ones that are read whole.

package safefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Regular opens a file as [Open] does, unless it is something else than a file on a disk: a FIFO in its place would be
// waited for, and a device never ends.
func Regular(path string, flags int, perm fs.FileMode, whose For) (*os.File, error) {
	f, err := Open(path, flags|unix.O_NONBLOCK, perm, whose)
	if err != nil {
		return nil, err
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nil, failed("open", path, errors.Join(errors.New("it is no regular file"), err))
	}
	return f, nil
}

const (
	// maxRead is more than any list of authorities has.
	maxRead = 16 << 20
	// maxWait is how long the other end of a pipe may take.
	maxWait = 5 * time.Second
)

// Read reads a small file that an operator has named, such as a key or a password. Who owns the directory may have it
// read another file, but not without end, nor wait for one.
func Read(path string) ([]byte, error) {
	f, err := os.OpenFile(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	f.SetReadDeadline(time.Now().Add(maxWait)) // of a file on a disk there is none, nor need be
	return Whole(f)
}

// Whole reads an open file to its end, if it is no larger than a small one may be.
func Whole(f *os.File) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, maxRead+1))
	if err == nil && len(text) > maxRead {
		err = failed("read", f.Name(), fmt.Errorf("it is larger than %d MiB", maxRead>>20))
	}
	return text, err
}
