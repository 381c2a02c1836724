// One file by RFC 5655: whole messages, perhaps compressed, and never half of one.

package ipfix

import (
	"fmt"
	"os"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export/collector"
)

// volume is a file that is being written. Compressed, it is a row of gzip members (RFC 1952 section
// 2.2) or zstd frames (RFC 8878 section 3), each with its checksum, so that one which is cut costs
// itself alone.
type volume struct {
	f       *file
	fd      *os.File
	pack    func(to, p []byte) []byte // nil: messages are written as they are
	fresh   bool                      // the queue has not had it
	refused bool                      // messages wait for the next file

	size    int64     // octets on disk
	pending []byte    // messages to be written at once
	since   time.Time // when the first of them came
	packed  []byte
	taken   int64 // octets of messages
	written int64
	torn    bool      // half a message is behind size
	retry   time.Time // after a failure
}

const (
	packAt    = 64 << 10 // octets of messages that make a compressed block ...
	packAfter = time.Second
)

func newVolume(f *file, fd *os.File) *volume {
	return &volume{f: f, fd: fd, pack: packer(f.compress)}
}

func (v *volume) empty() bool { return v.size == 0 && len(v.pending) == 0 }

// Send implements collector.Session.
func (v *volume) Send(p []byte, _ []collector.Piece) (int, error) {
	if r := &v.f.rotate; r.Size > 0 && v.size+int64(len(v.pending)) >= r.Size {
		v.refused = true
		return 0, nil
	}
	if len(v.pending) == 0 {
		v.since = time.Now()
	}
	v.pending = append(v.pending, p...)
	v.taken += int64(len(p))
	_, err := v.Flush()
	return len(p), err
}

// Flush implements collector.Session: it writes when it is time to. At the end of the daemon a file
// that cannot be written breaks the session, so that its records count as what they are.
func (v *volume) Flush() (bool, error) {
	last := !v.f.env.Deadline().IsZero()
	if !last && v.pack != nil && len(v.pending) < packAt && time.Since(v.since) < packAfter {
		return true, nil
	}
	switch {
	case v.write():
		return true, nil
	case last:
		return false, fmt.Errorf("write %s: it did not work until the daemon ended", v.f.path)
	}
	return false, nil
}

// cut reports whether somebody has made the file shorter, as logrotate's copytruncate does.
func (v *volume) cut() bool {
	if v.size == 0 {
		return false
	}
	info, err := v.fd.Stat()
	return err == nil && info.Size() < v.size
}

// write writes all that is pending, or nothing.
func (v *volume) write() bool {
	if len(v.pending) == 0 {
		return true
	}
	now := time.Now()
	if now.Before(v.retry) || v.cut() {
		return false
	}
	p := v.pending
	if v.pack != nil {
		v.packed = v.pack(v.packed[:0], p)
		p = v.packed
	}
	if err := v.put(p); err != nil {
		v.retry = now.Add(fileRetry)
		v.f.complain("cannot write; records wait in the buffer until it works again", err)
		return false
	}
	v.f.recovered()
	v.f.octets.Add(len(p))
	v.size += int64(len(p))
	v.written += int64(len(v.pending))
	v.pending = v.pending[:0]
	return true
}

// put writes p to the end of the file. What was written of it before an error is taken back, if
// need be by the next call.
func (v *volume) put(p []byte) error {
	if v.torn {
		if err := v.fd.Truncate(v.size); err != nil {
			return err
		}
		v.torn = false
	}
	n, err := v.fd.Write(p)
	if err != nil && n > 0 {
		v.torn = v.fd.Truncate(v.size) != nil
	}
	return err
}

// Acked implements collector.Session.
func (v *volume) Acked() int64 { return v.written }

// Drain implements collector.Session.
func (v *volume) Drain() error { return nil }

// MaxMessage implements collector.Session.
func (v *volume) MaxMessage() int { return 0 }

// Ends implements collector.Session.
func (v *volume) Ends() engine.SocketPair { return engine.SocketPair{} }

// Shutdown implements collector.Session.
func (v *volume) Shutdown() error {
	v.write()
	return nil
}

// Close implements collector.Session.
func (v *volume) Close() error { return v.fd.Close() }
