// Noticing that the file is not what it was: cut by logrotate's copytruncate, deleted, or a FIFO
// with another reader.

package logfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lookEvery is how often the file is looked at that nothing is written to.
const lookEvery = time.Second

// changed reports whether what was written before is gone for whoever reads what comes next.
func (f *File) changed() bool {
	switch {
	case f.out.fd < 0:
		return false
	case f.out.regular:
		return f.wasCut()
	}
	return f.readerLeft()
}

// wasCut reports whether somebody has made the file shorter, as logrotate's copytruncate does.
func (f *File) wasCut() bool {
	var st syscall.Stat_t
	if f.out.size == 0 || syscall.Fstat(f.out.fd, &st) != nil || st.Size >= f.out.size {
		return false
	}
	f.out.size = st.Size
	syscall.Seek(f.out.fd, 0, 2) // matters where the file is not open for appending: standard output
	return true
}

// readerLeft reports whether a reader of the FIFO has closed it. The next one may be there already.
func (f *File) readerLeft() bool {
	if f.out.inotify <= 0 {
		return false
	}
	var events [4096]byte
	left := false
	for {
		n, err := unix.Read(f.out.inotify, events[:])
		if n <= 0 || err != nil {
			return left
		}
		left = true
	}
}

// watch has the kernel note when a reader closes the FIFO. Where it cannot, a reader that is
// exchanged between two writes goes unnoticed.
func (t *target) watch() {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return
	}
	if _, err := unix.InotifyAddWatch(fd, t.path, unix.IN_CLOSE_NOWRITE); err != nil {
		unix.Close(fd)
		return
	}
	t.inotify = fd
}

// startAgain has what follows begin as a file does.
func (f *File) startAgain() {
	f.completeNot()
	if !f.out.regular && !f.out.hasReader() {
		f.out.close()
		if f.findReader(); f.out.fd < 0 {
			f.slow = false
			f.drop(f.noReader, 0)
			f.trouble.Say("the reader has gone; records are dropped until there is one", syscall.EPIPE)
		}
		return
	}
	if !f.out.regular {
		f.out.size = 0 // for the new reader
	}
	f.setHead()
	f.b.Epoch++
	f.setLimit()
}

// completeNot gives up a record whose beginning is elsewhere: the rest of it would be half a
// record.
func (f *File) completeNot() {
	if f.torn {
		f.torn = false
		f.failed.Add(1)
		f.b.Forget(f.b.Ends[0], 1)
	}
}

// setHead sets what has to be written before the next record.
func (f *File) setHead() {
	f.head = nil
	if f.Header != nil && (f.out.size == 0 || f.Sections) {
		f.head = append(f.head, f.Header()...)
	}
}

// hasReader reports whether somebody has the other end of a pipe open.
func (t *target) hasReader() bool {
	fds := []unix.PollFd{{Fd: int32(t.fd)}}
	n, err := unix.Poll(fds, 0)
	return n <= 0 || err != nil || fds[0].Revents&unix.POLLERR == 0
}

// look notices, also while no records come, what has become of the file.
func (f *File) look(now time.Time) {
	if now.Sub(f.looked) < lookEvery {
		return
	}
	f.looked = now
	if f.changed() {
		f.startAgain()
	}
	var st syscall.Stat_t
	if f.out.fd >= 0 && f.out.regular && syscall.Fstat(f.out.fd, &st) == nil && st.Nlink == 0 {
		f.b.Env.Limited().Warn("the file that is written to was deleted; nobody will find the records in it",
			"file", f.out.path, "remedy", "send SIGHUP, which opens the path anew")
	}
}

// Again tries whether the path can be opened again by the user that the daemon has become.
func (f *File) Again() error {
	path := f.out.path
	if path == stdout {
		return nil
	}
	if dir := filepath.Dir(path); f.Name != nil || f.Rotate.Size > 0 || f.Rotate.Every > 0 {
		if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
			return fmt.Errorf("no file can be made in %s: %w; chown %d %s", dir, err, os.Geteuid(), dir)
		}
		return nil
	}
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_APPEND|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errors.Is(err, syscall.ENXIO) {
		return nil // a FIFO without a reader
	}
	if err != nil {
		return fmt.Errorf("open %s: %w; chown %d %s", path, err, os.Geteuid(), path)
	}
	return syscall.Close(fd)
}
