// The end of a run: what waits in memory goes to the disk as well.

package spool

import (
	"iter"
	"slices"
)

// numbersInFront is more segments than are ever put in front at a time.
const numbersInFront = 1 << 20

// Restore puts messages that were read, or never appended, in front of those that were not read,
// and deletes what was read. It is for the end of a run; Max does not bound it. It returns the
// records that could not be written.
func (s *Spool) Restore(messages iter.Seq[Message]) (failed int) {
	var front []*segment
	a := appender{s: s, number: s.tail.number, opened: func(seg *segment) { front = append(front, seg) }}
	if len(s.segments) > 0 {
		a.number = s.segments[0].number - numbersInFront
	}
	put := func(m Message) {
		if err := a.put(&m); err != nil {
			s.Often.Error("a message cannot be put into the spool", "error", err)
			failed += m.Records
		}
	}
	for m := range messages {
		put(m)
	}
	for s.reading != nil { // the rest of a segment whose begin was read
		if m, ok := s.step(); ok {
			put(m)
		}
	}
	if len(s.segments) == 0 {
		s.tail.number = a.number
	}
	a.complete()
	for s.unread > 0 {
		s.removeFirst()
	}
	s.segments = slices.Concat(front, s.segments)
	return failed
}

// Close ends the segment that is being written.
func (s *Spool) Close() { s.tail.complete() }
