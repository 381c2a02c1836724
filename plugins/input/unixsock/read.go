// The stream of messages: read into a block, decoded there.

package unixsock

import (
	"errors"
	"io"
	"os"
	"time"

	"ulogd/engine"
)

// blockSize holds several of the largest messages: 4 octets of marker and up to 65535 more.
const blockSize = 1 << 20

// stream is the octets that were read and not decoded.
type stream struct {
	block      *engine.Block
	start, end int
}

func (s *stream) reset() { s.start, s.end = 0, 0 }

// makeRoom makes sure that a whole message fits behind what is waiting. Batches refer to the
// block's octets, so these are moved only into a block that no batch refers to.
func (s *stream) makeRoom(blocks *engine.Blocks) {
	if s.start == s.end && !s.block.Shared() {
		s.reset()
	}
	if len(s.block.Data)-s.end > maxMessage {
		return
	}
	next := blocks.Get()
	s.end = copy(next.Data, s.block.Data[s.start:s.end])
	s.start = 0
	s.block.Release()
	s.block = next
}

// Read decodes messages that have come, and waits for some if there are none.
func (u *unixsock) Read(b *engine.Batch, deadline time.Time) error {
	if u.stopping {
		deadline = time.Now().Add(10 * time.Millisecond) // what has been sent is there already
	}
	if u.client == nil {
		if err := u.accept(deadline); err != nil {
			return err
		}
		if u.client == nil {
			if u.stopping {
				return io.EOF
			}
			return nil
		}
	}
	if u.fill(b) {
		return nil
	}
	u.stream.makeRoom(u.blocks)
	if err := u.client.SetReadDeadline(deadline); err != nil {
		u.lost(err)
		return nil
	}
	n, err := u.client.Read(u.stream.block.Data[u.stream.end:])
	u.stream.end += n
	switch {
	case err != nil && notTimeout(err) != nil:
		u.fill(b)
		u.lost(err)
	case err != nil && u.stopping:
		return io.EOF
	default:
		u.fill(b)
	}
	return nil
}

// lost deals with the end of a client's connection.
func (u *unixsock) lost(err error) {
	if u.client == nil { // a wrong message has ended it
		return
	}
	if !errors.Is(err, io.EOF) {
		u.env.Limited().Warn("a client's connection broke", "path", u.path, "error", err)
	}
	if left := u.stream.end - u.stream.start; left > 0 {
		u.env.Limited().Warn("a client went away within a message", "path", u.path, "octets", left)
	}
	u.drop()
}

// fill decodes the whole messages that wait, up to a full batch, and reports whether there were
// any.
func (u *unixsock) fill(b *engine.Batch) bool {
	s := &u.stream
	rows := b.Len()
	before := s.start
	b.SetData(s.block)
	a := u.columns.of(b)
	for rows < engine.BatchSize {
		size, err := messageSize(s.block.Data[s.start:s.end])
		if err == nil && size == 0 {
			break
		}
		if err == nil {
			err = u.message(&a, engine.Row(rows), s.start, size)
		}
		if err != nil {
			u.env.Limited().Error("a client sent a wrong message and is disconnected", "path", u.path, "error", err)
			b.Fill(rows)
			u.malformed.Rows(b, 1)
			u.drop()
			return true
		}
		s.start += size
		rows++
	}
	b.Fill(rows)
	return s.start != before
}

// notTimeout returns an error that is none of a deadline.
func notTimeout(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}
