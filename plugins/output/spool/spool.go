// The spool of one collector: what is on its disk, and what comes next.

package spool

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"ulogd/engine"
	"ulogd/engine/safefile"
)

// Config is what a spool needs from the output that has it.
type Config struct {
	Max   int64 // octets of all segments together
	Log   *slog.Logger
	Often *engine.LimitedLog // for trouble that may last or come back; nil: one over Log
	Stats *engine.Stats
	Go    func(func(context.Context)) // runs what must not stop the records

	Full func(Message) // if not nil, is told of each message that is given up because the spool is full
}

// MinMax is the smallest Max.
const MinMax = 1 << 20

// A Spool keeps messages on disk. Its methods are called from one goroutine at a time.
//
// It counts records: Made and Held what an earlier run left, and as dropped what it loses of those
// that are held. What is appended and what is read is the caller's to count.
type Spool struct {
	Config
	path     string
	segments []*segment // oldest first
	unread   int        // the first segment that is not wholly read
	reading  *cursor    // in this one; nil: not begun
	position int64      // messages read so far
	records  int        // not read
	octets   int64      // of all segments

	tail    appender // writes the last segments
	buf     []byte
	failing bool // the last message could not be written
	dirty   bool // something was written since ...
	synced  time.Time
	disk    syncer

	full, damage *engine.Drop
	cut          *engine.Counter
}

// segment is one file.
type segment struct {
	number uint64
	octets int64
	left   int   // records that were not read
	all    int   // records
	end    int64 // position behind its last message, once it is wholly read

	deleted atomic.Bool
}

func open(path string, c Config) (*Spool, error) {
	s := &Spool{
		Config: c, path: path,
		full:   c.Stats.Drop("spool_full", "oldest records in the spool, given up for newer ones because spool_max is reached"),
		damage: c.Stats.Drop("spool_damaged", "records in the spool that no longer agree with their checksum"),
		cut:    c.Stats.Counter("spool_torn", "segments of the spool whose last message was not whole when the daemon started"),
	}
	if s.Often == nil {
		s.Often = engine.NewLimitedLog(c.Log)
	}
	s.disk.s = s
	s.tail = appender{s: s, number: firstNumber, opened: func(seg *segment) { s.segments = append(s.segments, seg) }}
	return s, s.find()
}

// find takes over what an earlier run has left.
func (s *Spool) find() error {
	files, err := os.ReadDir(s.path)
	if err != nil {
		return fmt.Errorf("read the spool: %w", err)
	}
	for _, f := range files { // in the order of their names, which is that of their numbers
		number, ok := parseName(f.Name())
		if !ok {
			continue
		}
		seg, err := s.takeOver(number)
		if err != nil {
			return err
		}
		if seg == nil {
			continue
		}
		s.segments = append(s.segments, seg)
		s.octets += seg.octets
		s.records += seg.left
		s.tail.number = number + 1
	}
	if s.records > 0 {
		s.Stats.Made.Add(s.records)
		s.Stats.Held.Add(s.records)
		s.Stats.Counter("resumed", "records that an earlier run left in the spool; they count as made").Add(s.records)
		s.Log.Info("the spool holds records of an earlier run", "spool", s.path, "records", s.records)
	}
	return nil
}

// Records returns how many records wait to be read.
func (s *Spool) Records() int { return s.records }

// Octets returns what the spool takes on disk.
func (s *Spool) Octets() int64 { return s.octets }

// Path returns the spool's directory.
func (s *Spool) Path() string { return s.path }

// Room reports whether so many octets can be appended without dropping others.
func (s *Spool) Room(octets int64) bool {
	return !s.failing && s.octets+octets+octets/2+s.segmentSize() <= s.Max
}

// segmentSize is small enough that dropping the oldest segment is no great loss.
func (s *Spool) segmentSize() int64 { return min(s.Max/16, maxSegmentSize) }

const (
	maxSegmentSize = 4 << 20
	// maxSegment is what a segment has at most, with its last message and its end.
	maxSegment = maxSegmentSize + 1<<18
)

// Next returns the oldest message that was not read. It is valid until the next call.
func (s *Spool) Next() (Message, bool) {
	for s.unread < len(s.segments) {
		if s.reading == nil {
			s.begin(s.segments[s.unread])
		}
		if m, ok := s.step(); ok {
			return m, true
		}
	}
	return Message{}, false
}

// step reads on in the present segment, and returns a message if a whole one stands there.
func (s *Spool) step() (Message, bool) {
	seg, at := s.segments[s.unread], s.reading.off
	m, state := s.reading.next()
	switch {
	case state == whole && m.Records <= seg.left:
		seg.left -= m.Records
		s.records -= m.Records
		s.position++
		return m, true
	case state == whole || state == damaged:
		s.Often.Error("a message in the spool is damaged", "file", s.name(seg), "offset", at)
	default:
		if seg.left > 0 {
			s.Often.Error("a segment of the spool lacks records that it had", "file", s.name(seg), "offset", at, "records", seg.left)
		}
		s.lose(seg, s.damage)
		seg.end = s.position
		s.unread, s.reading = s.unread+1, nil
	}
	return Message{}, false
}

// begin reads a segment into memory: a few MiB.
func (s *Spool) begin(seg *segment) {
	if seg == s.tail.seg {
		s.tail.complete()
	}
	p, err := readFile(s.name(seg))
	if err != nil {
		s.Often.Error("the spool cannot be read", "error", err)
	}
	s.reading = newCursor(p)
}

// lose counts what was not read of a segment as dropped.
func (s *Spool) lose(seg *segment, why *engine.Drop) {
	why.Add(seg.left)
	s.Stats.Held.Add(-seg.left)
	s.records -= seg.left
	seg.left = 0
}

// Position counts the messages read so far.
func (s *Spool) Position() int64 { return s.position }

// Release deletes the segments whose messages were all read before this position.
func (s *Spool) Release(position int64) {
	for s.unread > 0 && s.segments[0].end <= position {
		s.removeFirst()
	}
}

// removeFirst deletes the oldest segment. Nobody asks for it again.
func (s *Spool) removeFirst() {
	seg := s.segments[0]
	seg.deleted.Store(true)
	if err := safefile.Remove(s.name(seg)); err != nil {
		s.Often.Error("a segment of the spool cannot be deleted: the next run will send it again", "error", err)
	}
	s.octets -= seg.octets
	s.segments = s.segments[1:]
	if s.unread > 0 {
		s.unread--
	} else {
		s.reading = nil
	}
}

func (s *Spool) name(seg *segment) string { return filepath.Join(s.path, fileName(seg.number)) }
