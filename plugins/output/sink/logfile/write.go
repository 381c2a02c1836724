// Writing: whole records, and what happens when the file takes only some of them.

package logfile

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
)

// write writes the buffer. Afterwards it holds nothing, or what a slow reader has still to take.
func (f *File) write() {
	if len(f.b.Ends) == 0 && len(f.head) == 0 {
		return
	}
	if f.out.fd < 0 {
		f.drop(f.noReader, 0)
		return
	}
	if f.changed() {
		f.startAgain()
		if f.out.fd < 0 || len(f.b.Ends) == 0 && len(f.head) == 0 {
			return
		}
	}
	if err := f.writeHead(); err != nil {
		f.done(0, err)
		return
	}
	n, err := f.put(f.b.Data)
	f.done(n, err)
}

// writeHead writes what is left of the header.
func (f *File) writeHead() error {
	if len(f.head) == 0 {
		return nil
	}
	n, err := f.put(f.head)
	if err != nil && f.out.cut(n) {
		n = 0
	}
	f.head = f.head[n:]
	return err
}

// put writes p as far as the file takes it.
func (f *File) put(p []byte) (n int, err error) {
	for n < len(p) {
		m, err := syscall.Write(f.out.fd, p[n:])
		if m > 0 {
			n += m
			f.out.size += int64(m)
			f.bytes.Add(m)
		}
		if err != nil && !errors.Is(err, syscall.EINTR) && !(errors.Is(err, syscall.EAGAIN) && f.b.Patient && f.wait()) {
			return n, err
		}
	}
	return n, nil
}

// wait waits for the reader and reports whether the file takes something again, or has another
// error to say.
func (f *File) wait() bool {
	fds := []unix.PollFd{{Fd: int32(f.out.fd), Events: unix.POLLOUT}}
	for {
		if d := f.b.Env.Deadline(); !d.IsZero() && time.Now().After(d) {
			return false
		}
		f.b.Env.Waits()
		if n, err := unix.Poll(fds, 100); n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}

// done settles what becomes of the buffer when its first n octets were written and then err
// happened, or nothing.
func (f *File) done(n int, err error) {
	whole, start := f.b.Whole(n)
	f.b.Env.Stats.Out.Add(whole)
	if err == nil {
		f.b.Data, f.b.Ends, f.torn, f.slow = f.b.Data[:0], f.b.Ends[:0], false, false
		f.setLimit()
		f.trouble.Over("the file works again")
		return
	}
	half := n - start
	switch {
	case half == 0:
		f.torn = f.torn && whole == 0
	case f.torn && whole == 0: // the record began in an earlier write
	case errors.Is(err, syscall.EAGAIN) || !f.out.cut(half):
		f.torn = true
	default:
		n, f.torn = start, false
	}
	f.b.Forget(n, whole)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		f.slow = true
		if i := f.fit(); i < len(f.b.Ends) {
			f.drop(f.slowReader, i)
			f.trouble.Say("the reader is too slow for all records", err)
		}
	case errors.Is(err, syscall.EPIPE):
		f.out.close()
		f.torn, f.slow = false, false
		f.drop(f.noReader, 0)
		f.trouble.Say("the reader has gone; records are dropped until there is one", err)
	default:
		f.drop(f.failed, 0)
		f.trouble.Say("cannot write; records are dropped until it works again", err)
	}
	f.setLimit()
}

// fit returns how many records may wait.
func (f *File) fit() int {
	i := len(f.b.Ends)
	for i > 0 && f.b.Ends[i-1] > maxStalled {
		i--
	}
	return i
}

// drop gives up the records of the buffer from the i-th on. One whose beginning is written stays,
// so that it can be completed.
func (f *File) drop(why *engine.Drop, i int) {
	if f.torn {
		i = max(i, 1)
	}
	if i >= len(f.b.Ends) {
		return
	}
	f.b.DropFrom(why, i)
	f.b.Epoch++
	if f.Sections && f.Header != nil && !f.torn {
		f.head = append(f.head[:0:0], f.Header()...)
	}
}
