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
	if len(f.ends) == 0 && len(f.head) == 0 {
		return
	}
	if f.out.fd < 0 {
		f.drop(f.noReader, 0)
		return
	}
	if err := f.writeHead(); err != nil {
		f.done(0, err)
		return
	}
	n, err := f.put(f.buf)
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
		if err != nil && !errors.Is(err, syscall.EINTR) && !(errors.Is(err, syscall.EAGAIN) && f.Patient && f.wait()) {
			return n, err
		}
	}
	return n, nil
}

// wait waits for the reader and tells whether the file takes something again, or has another error to say.
func (f *File) wait() bool {
	fds := []unix.PollFd{{Fd: int32(f.out.fd), Events: unix.POLLOUT}}
	for {
		if d := f.env.Deadline(); !d.IsZero() && time.Now().After(d) {
			return false
		}
		if n, err := unix.Poll(fds, 100); n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}

// done settles what becomes of the buffer when its first n octets were written and then err happened, or nothing.
func (f *File) done(n int, err error) {
	whole, start := 0, 0
	for whole < len(f.ends) && f.ends[whole] <= n {
		start = f.ends[whole]
		whole++
	}
	f.env.Stats.Out.Add(whole)
	if err == nil {
		f.buf, f.ends, f.torn, f.slow = f.buf[:0], f.ends[:0], false, false
		f.setLimit()
		f.recovered()
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
	f.forget(n, whole)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		f.slow = true
		if i := f.fit(); i < len(f.ends) {
			f.drop(f.slowReader, i)
			f.complain("the reader is too slow for all records", err)
		}
	case errors.Is(err, syscall.EPIPE):
		f.out.close()
		f.torn, f.slow = false, false
		f.drop(f.noReader, 0)
		f.complain("the reader has gone; records are dropped until there is one", err)
	default:
		f.drop(f.failed, 0)
		f.complain("cannot write; records are dropped until it works again", err)
	}
	f.setLimit()
}

// forget takes the first n octets and the first i records out of the buffer.
func (f *File) forget(n, i int) {
	if n == 0 && i == 0 {
		return
	}
	f.buf = f.buf[:copy(f.buf, f.buf[n:])]
	f.ends = f.ends[:copy(f.ends, f.ends[i:])]
	for j := range f.ends {
		f.ends[j] -= n
	}
}

// fit returns how many records may wait.
func (f *File) fit() int {
	i := len(f.ends)
	for i > 0 && f.ends[i-1] > maxStalled {
		i--
	}
	return i
}

// drop gives up the records of the buffer from the i-th on. One whose beginning is written stays, so that it can be completed.
func (f *File) drop(why *engine.Drop, i int) {
	if f.torn {
		i = max(i, 1)
	}
	if i >= len(f.ends) {
		return
	}
	n := len(f.ends) - i
	why.Add(n)
	f.silent += n
	f.ends = f.ends[:i]
	if i == 0 {
		f.buf = f.buf[:0]
	} else {
		f.buf = f.buf[:f.ends[i-1]]
	}
	f.epoch++
	if f.Sections && f.Header != nil && !f.torn {
		f.head = append(f.head[:0:0], f.Header()...)
	}
}

// complain logs why records are dropped, at most once a minute.
func (f *File) complain(text string, err error) {
	now := time.Now()
	if now.Sub(f.complained) < complainEvery {
		return
	}
	f.env.Log.Error(text, "file", f.out.path, "error", err, "dropped", f.silent)
	f.complained, f.troubled, f.silent = now, true, 0
}

// recovered logs that a file which was complained of works.
func (f *File) recovered() {
	if f.troubled {
		f.env.Log.Info("the file works again", "file", f.out.path, "dropped", f.silent)
		f.troubled, f.silent = false, 0
	}
}
