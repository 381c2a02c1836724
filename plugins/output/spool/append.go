// Writing: one segment at a time, complete before the next begins.

package spool

import (
	"errors"
	"os"
	"time"

	"ulogd/engine/safefile"
)

// An appender writes a run of segments.
type appender struct {
	s      *Spool
	number uint64   // of the next segment
	file   *os.File // of the last one; nil: it is complete
	seg    *segment
	opened func(*segment)
}

// Append puts a message on disk, behind all others, at the cost of the oldest if there is no room.
// It returns false if that cannot be done now; the log has the reason, at most once a minute.
func (s *Spool) Append(m Message) bool {
	const ends = len(fileMagic) + headLen // of a segment that begins, or that is completed
	for s.octets+int64(m.size()+ends) > s.Max && len(s.segments) > 0 {
		s.dropOldest()
	}
	err := s.tail.put(&m)
	s.failing = err != nil
	if err != nil {
		s.Often.Error("a message cannot be put into the spool", "error", err)
		return false
	}
	s.dirty = true
	return true
}

func (s *Spool) dropOldest() {
	seg := s.segments[0]
	if seg == s.tail.seg {
		s.tail.complete()
	}
	if seg.left > 0 {
		s.Often.Error("the spool is full: its oldest records are dropped", "spool", s.path, "records", seg.left, "remedy", "raise spool_max, or bring the collector back")
	}
	s.tell(seg)
	s.lose(seg, s.full)
	s.removeFirst()
}

// tell tells what is in the oldest segment and was not read.
func (s *Spool) tell(seg *segment) {
	if s.Full == nil || seg.left == 0 {
		return
	}
	if s.reading == nil {
		s.begin(seg)
	}
	for m, state := s.reading.next(); state == whole || state == damaged; m, state = s.reading.next() {
		if state == whole {
			s.Full(m)
		}
	}
}

// put writes a message. What was written of it when that fails is cut off, and would be overwritten
// by the next one.
func (a *appender) put(m *Message) error {
	if a.file != nil && a.seg.octets+int64(m.size()) > a.s.segmentSize() {
		a.complete()
	}
	if a.file == nil {
		if err := a.begin(); err != nil {
			return err
		}
	}
	s := a.s
	s.buf = m.append(s.buf[:0])
	if _, err := a.file.WriteAt(s.buf, a.seg.octets); err != nil {
		return errors.Join(err, a.file.Truncate(a.seg.octets))
	}
	a.seg.octets += int64(len(s.buf))
	a.seg.left += m.Records
	a.seg.all += m.Records
	s.octets += int64(len(s.buf))
	s.records += m.Records
	return nil
}

func (a *appender) begin() error {
	seg := &segment{number: a.number, octets: int64(len(fileMagic))}
	f, err := safefile.Open(a.s.name(seg), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600, safefile.User)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(fileMagic), 0); err != nil {
		f.Close()
		return errors.Join(err, safefile.Remove(f.Name()))
	}
	a.file, a.seg = f, seg
	a.number++
	a.s.octets += seg.octets
	a.opened(seg)
	return nil
}

// complete ends the segment that is being written, if there is one, and has it synchronised beside
// the flow of records.
func (a *appender) complete() {
	if a.file == nil {
		return
	}
	f, seg, s := a.file, a.seg, a.s
	a.file, a.seg = nil, nil
	end := appendEnd(nil, seg.all)
	if _, err := f.WriteAt(end, seg.octets); err != nil { // the next run will count what is there
		s.Often.Error("a segment of the spool cannot be completed", "error", errors.Join(err, f.Truncate(seg.octets)))
	} else {
		seg.octets += int64(len(end))
		s.octets += int64(len(end))
	}
	s.disk.add(job{f, seg, true})
}

// Tick synchronises the open segment once a second, beside the flow of records.
func (s *Spool) Tick(now time.Time) {
	if s.dirty && s.tail.file != nil && now.Sub(s.synced) >= time.Second {
		s.dirty, s.synced = false, now
		s.disk.add(job{s.tail.file, s.tail.seg, false})
	}
}
