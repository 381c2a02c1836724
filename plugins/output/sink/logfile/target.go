// What is behind the path: opening, reopening, closing.

package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine/safefile"
)

// target is an open file.
type target struct {
	fd      int // -1: a FIFO without a reader, or closed
	path    string
	regular bool
	size    int64 // of a regular file, as far as this process knows
	dev     uint64
	ino     uint64
	inotify int // tells of a FIFO's readers; 0: none
}

// A file-size limit must come back as an error of write(2), not end the process.
var ignoreSizeSignal = sync.OnceFunc(func() { signal.Ignore(syscall.SIGXFSZ) })

func (f *File) openTarget(now time.Time) (target, error) {
	ignoreSizeSignal()
	path := f.Path
	if f.Name != nil {
		path = unused(f.Name(now))
	}
	t, err := openPath(path)
	if err == nil && t.size > 0 && f.Check != nil {
		if err = f.Check(path); err != nil {
			t.close()
		}
	}
	return t, err
}

// openPath opens without waiting: for a FIFO's reader, or for a terminal that is stopped.
func openPath(path string) (target, error) {
	t := target{fd: -1, path: path}
	if path == stdout && redirected() {
		// Opened anew it would have a position of its own, and overwrite what others write to the
		// same file, such as the log.
		return t.describe(syscall.Dup(1))
	}
	fd, err := openSafely(path)
	switch fi, statErr := os.Stat(path); {
	case errors.Is(err, syscall.ENXIO) && statErr == nil && fi.Mode()&os.ModeNamedPipe != 0 && path != stdout:
		return t, nil
	case errors.Is(err, syscall.ENXIO) && path == stdout && !isSocket(1):
		return t, nil
	case err != nil && path == stdout: // a socket, such as the journal's
		fd, err = syscall.Dup(1)
	}
	return t.describe(fd, err)
}

// openSafely opens as root only what nobody else can have put there. A file that it makes belongs
// to who will open it again.
func openSafely(path string) (fd int, err error) {
	const flags = syscall.O_WRONLY | syscall.O_APPEND | syscall.O_CREAT | syscall.O_NONBLOCK
	file, err := safefile.Open(path, flags, 0o666, safefile.User)
	if err != nil {
		return -1, err
	}
	defer file.Close()
	raw, err := file.SyscallConn()
	if err != nil {
		return -1, err
	}
	if e := raw.Control(func(n uintptr) { fd, err = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return -1, e
	}
	return fd, err
}

const stdout = "/dev/stdout"

// redirected reports whether standard output is a regular file.
func redirected() bool {
	var st syscall.Stat_t
	return syscall.Fstat(1, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFREG
}

func isSocket(fd int) bool {
	var st syscall.Stat_t
	return syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFSOCK
}

// opening is the error of an open, which names the path once.
func opening(path string, err error) error {
	if _, named := errors.AsType[*fs.PathError](err); named {
		return err
	}
	return fmt.Errorf("open %s: %w", path, err)
}

// describe takes over an opened file and notes what it is.
func (t target) describe(fd int, err error) (target, error) {
	if err != nil {
		return t, opening(t.path, err)
	}
	syscall.CloseOnExec(fd)
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		syscall.Close(fd)
		return t, fmt.Errorf("stat %s: %w", t.path, err)
	}
	t.fd, t.dev, t.ino = fd, uint64(st.Dev), st.Ino // 32 bits of it on MIPS
	if st.Mode&syscall.S_IFMT == syscall.S_IFREG {
		t.regular, t.size = true, st.Size
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFIFO && t.path != stdout {
		t.watch()
	}
	return t, nil
}

// begin makes t the file that is written to.
func (f *File) begin(t target) {
	f.completeNot()
	f.out, f.trouble.Name = t, t.path
	f.setHead()
	f.b.Epoch++
	f.Rotate.begun(time.Now())
	f.setLimit()
	if t.fd < 0 {
		f.trouble.Say("nobody reads the FIFO; records are dropped until there is a reader", syscall.ENXIO)
		return
	}
	f.opened.Add(1)
	f.trouble.Peer.Up()
	if !t.regular {
		f.trouble.Over("there is a reader again")
	}
	f.write()
}

// findReader looks whether the FIFO has a reader now.
func (f *File) findReader() {
	if t, err := openPath(f.out.path); err == nil && t.fd >= 0 {
		f.begin(t)
	}
}

// reopen writes what has gathered to the old file and goes on with a new one, if it can be opened.
func (f *File) reopen(now time.Time) bool {
	f.write()
	t, err := f.openTarget(now)
	if err != nil {
		f.b.Env.Log.Error("cannot reopen; the old file stays in use", "error", err)
		return false
	}
	if t.dev == f.out.dev && t.ino == f.out.ino && (t.size > 0 || !t.regular) && f.out.fd >= 0 {
		t.close() // the path still leads to the same file
		return true
	}
	f.finish()
	f.begin(t)
	return true
}

// finish ends the file.
func (f *File) finish() {
	if f.out.fd < 0 {
		return
	}
	if f.Footer != "" && !f.torn && len(f.head) == 0 {
		if n, err := f.put([]byte(f.Footer)); err != nil {
			f.out.cut(n)
			f.b.Env.Log.Error("cannot write the end of the file", "file", f.out.path, "error", err)
		}
	}
	f.out.close()
}

// cut takes the last n octets, which this process wrote, off a regular file. It fails when somebody
// else has written behind them.
func (t *target) cut(n int) bool {
	if !t.regular || n == 0 {
		return n == 0
	}
	pos, err := syscall.Seek(t.fd, 0, 1) // where the last write ended
	var st syscall.Stat_t
	if err != nil || syscall.Fstat(t.fd, &st) != nil || st.Size != pos || syscall.Ftruncate(t.fd, pos-int64(n)) != nil {
		return false
	}
	syscall.Seek(t.fd, pos-int64(n), 0) // matters where the file is not open for appending: standard output
	t.size -= int64(n)
	return true
}

func (t *target) close() {
	if t.inotify > 0 {
		syscall.Close(t.inotify)
		t.inotify = 0
	}
	if t.fd >= 0 {
		syscall.Close(t.fd)
		t.fd = -1
	}
}
