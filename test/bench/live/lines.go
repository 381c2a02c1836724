// The reader of lines as LOGEMU writes them.

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/bench/measure"
)

// pipeRoom is what the FIFO holds: as much as the kernel allows anybody by default.
const pipeRoom = 1 << 20

// readLines reads a FIFO until its writer has ended, which the returned function waits for. A line's
// number is in the first source address that it names, and its arrival is when it was read.
func readLines(t testing.TB, dir string, l *ledger) (fifo string, wait func()) {
	t.Helper()
	fifo = filepath.Join(dir, "lines")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// Both ends: so neither this end nor the program's waits for the other.
	both, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(fifo, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeRoom); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer unix.Close(fd)
		runtime.LockOSThread() // the thread has its priority until it ends
		if err := measure.FirstServed(); err != nil {
			t.Error(err)
		}
		buf, kept := make([]byte, pipeRoom), 0
		for {
			n, err := unix.Read(fd, buf[kept:])
			if err == unix.EINTR {
				continue
			}
			if n <= 0 {
				return
			}
			kept = l.lines(buf, kept+n, time.Now().UnixNano())
		}
	}()
	var closed bool
	wait = func() {
		if !closed {
			both.Close() // with the program's end, that is the last writer
			closed = true
		}
		<-done
	}
	t.Cleanup(wait)
	return fifo, wait
}

// lines counts the lines of a buffer, moves what follows the last one to its front and returns how
// much that is.
func (l *ledger) lines(buf []byte, n int, at int64) (kept int) {
	rest, arrived := buf[:n], int64(0)
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			break
		}
		if i, ok := numberOf(rest[:end]); ok && i < len(l.came) && l.came[i] == 0 {
			l.came[i] = at
			arrived++
		} else {
			l.strange.Add(1)
		}
		rest = rest[end+1:]
	}
	l.arrived.Add(arrived)
	return copy(buf, rest)
}

var source = []byte("SRC=10.")

// numberOf reads the number in a line's first source address: its last three octets.
func numberOf(line []byte) (number int, ok bool) {
	i := bytes.Index(line, source)
	if i < 0 {
		return 0, false
	}
	octet, octets := 0, 0
	for _, c := range line[i+len(source):] {
		switch {
		case c >= '0' && c <= '9':
			octet = octet*10 + int(c-'0')
		case c == '.' && octets < 2:
			number, octet = number<<8|octet, 0
			octets++
		default:
			return number<<8 | octet, octets == 2
		}
	}
	return 0, false // a line that ends there is none of LOGEMU's
}
