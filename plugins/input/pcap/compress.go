// Where a capture comes from: a file or a pipe, compressed or not.

package pcap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// source is a capture file on disk or a pipe, decompressed where its content says so.
type source struct {
	io.Reader
	name   string
	raw    *os.File
	onDisk bool
	size   int64 // octets on disk; 0 if that is not known
	read   int64 // octets read of them
	unpack io.Closer
}

// An opener opens a file: os.Open what an operator has named, safefile.OpenOthers what others put into a directory.
type opener func(name string) (*os.File, error)

// openSource opens a file by its name, "-" being the standard input. What is in it is seen by
// unwrap.
func openSource(name string, open opener) (*source, error) {
	s := &source{name: name, raw: os.Stdin}
	if name != standardInput {
		raw, err := open(name)
		if err != nil {
			return nil, fmt.Errorf("open capture file: %w", err)
		}
		s.raw = raw
	}
	info, err := s.raw.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("is a directory; name the files in it, such as by a glob, or have it watched by follow = true")
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if info.Mode().IsRegular() {
		s.onDisk, s.size = true, info.Size()
		unix.Fadvise(int(s.raw.Fd()), 0, 0, unix.FADV_SEQUENTIAL) // only a hint
	}
	return s, nil
}

// unwrap reads the first octets, and decompresses from then on what they show to be compressed.
func (s *source) unwrap() error {
	b := bufio.NewReaderSize((*counter)(s), 64<<10) // large reads of plain files pass it by
	head, err := b.Peek(6)
	if err != nil && err != io.EOF {
		return fmt.Errorf("read %s: %w", s.name, err)
	}
	form := formOf(head)
	if form == plain {
		s.Reader = b
		return nil
	}
	z, end, err := unpack(form, b)
	if err != nil {
		return fmt.Errorf("read %s: %w", s.name, err)
	}
	s.Reader, s.unpack = z, end
	return nil
}

// form is how a file is compressed.
type form string

const (
	plain     form = ""
	gzipped   form = "gzip"
	zstandard form = "zstd"
	xzed      form = "xz"
	bzipped   form = "bzip2"
	lz4ed     form = "lz4"
)

// formOf knows the form of a file by its first octets.
func formOf(head []byte) form {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipped
	case isZstd(head):
		return zstandard
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return xzed
	case bytes.HasPrefix(head, []byte("BZh")):
		return bzipped
	case bytes.HasPrefix(head, []byte{0x04, 0x22, 0x4d, 0x18}):
		return lz4ed
	}
	return plain
}

// isZstd knows a frame of RFC 8878, and a skippable frame, with which parallel compressors begin.
func isZstd(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18})
}

// counter is the source's reader of the file itself.
type counter source

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.raw.Read(p)
	c.read += int64(n)
	return n, err
}

// ready waits until a read returns at once: a pipe must have something, a file on disk always has.
// What comes compressed through a pipe is not waited for, as the decompressor may hold more
// already: its read lasts until the writer goes on.
func (s *source) ready(deadline time.Time) (bool, error) {
	if s.onDisk || s.unpack != nil {
		return true, nil
	}
	return poll([]unix.PollFd{{Fd: int32(s.raw.Fd()), Events: unix.POLLIN}}, deadline)
}

// poll waits until one of the files can be read, or reports an error or its end, but not past the
// deadline.
func poll(fds []unix.PollFd, deadline time.Time) (bool, error) {
	for {
		left := max(0, time.Until(deadline))
		n, err := unix.Poll(fds, int((left+time.Millisecond-1)/time.Millisecond))
		if err == unix.EINTR {
			continue
		}
		return n > 0, err
	}
}

// Close closes the file, and leaves the standard input alone.
func (s *source) Close() error {
	if s.unpack != nil {
		s.unpack.Close()
	}
	if s.raw == os.Stdin {
		return nil
	}
	return s.raw.Close()
}
