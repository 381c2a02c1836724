// One stream of messages: the one that is being filled, and the queues that the finished ones go
// to.

package stream

import (
	"time"

	"ulogd/plugins/output/export/collector"
)

// Messages lays records out in messages. How records come into them is between an exporter and its
// format.
type Messages interface {
	// SetLimit says how many octets a message may have, from the next one on.
	SetLimit(octets int)
	// Pending returns how many records wait in the message being filled.
	Pending() int
	// Finish closes the message being filled, for Take.
	Finish()
	// Take hands over the finished messages in their order.
	Take(add func(msg []byte, m collector.Mark))
}

// A Peer is what one collector is told besides the records.
type Peer interface {
	collector.Protocol
	// Refresh may send, with Control, what it is time to tell again.
	Refresh(q *collector.Queue, now time.Time)
}

// A Stream is one sequence of messages, of which each of its queues gets a copy.
type Stream struct {
	Messages Messages

	out    *Output
	queues []*collector.Queue
	peers  []Peer
	add    func(msg []byte, m collector.Mark) // s.queue, made once
	limit  int                                // octets of a message
	held   int                                // records in the open message that are counted as held
	began  time.Time                          // when the first of them came
}

// Limit returns how many octets a message may have now.
func (s *Stream) Limit() int { return s.limit }

// join adds a way that the messages go.
func (s *Stream) join(way collector.Way, window collector.Window) *collector.Queue {
	p := s.out.format.Peer(s)
	q := collector.NewQueue(s.out.env, way, p, s.out.Buffer, window)
	s.peers, s.queues = append(s.peers, p), append(s.queues, q)
	return q
}

// Settle queues the finished messages and counts what waits in the open one. It is called after
// records were added.
func (s *Stream) Settle(now time.Time) {
	s.Messages.Take(s.add)
	if pending := s.Messages.Pending(); pending != s.held {
		if s.held == 0 || pending < s.held {
			s.began = now
		}
		s.out.env.Stats.Held.Add(pending - s.held)
		s.held = pending
	}
}

// finish closes the open message and queues it.
func (s *Stream) finish() {
	s.Messages.Finish()
	s.Settle(time.Time{})
}

// queue copies a finished message to each queue.
func (s *Stream) queue(msg []byte, m collector.Mark) {
	s.out.format.Seal(msg)
	if copies := len(s.queues) - 1; copies > 0 {
		s.out.env.Stats.Made.Add(copies * m.Records)
	}
	for _, q := range s.queues {
		if q.Add(msg, m) && s.out.Queued != nil {
			s.out.Queued.Add(m.Records)
		}
	}
}

// pump sends what waits if it is so many octets; what is less goes with the next tick.
func (s *Stream) pump(now time.Time, octets int64) {
	for _, q := range s.queues {
		if q.Waiting() >= octets {
			q.Pump(now)
		}
	}
}

func (s *Stream) tick(now time.Time) {
	if s.held > 0 && now.Sub(s.began) >= s.out.FlushInterval {
		s.finish()
	}
	for i, q := range s.queues {
		s.peers[i].Refresh(q, now)
		q.Tick(now)
	}
	s.Adjust()
}

// room reports whether every queue has room for what a batch may become.
func (s *Stream) room() bool {
	for _, q := range s.queues {
		if !q.Room(batchOctets) {
			return false
		}
	}
	return true
}

// Adjust sets the length of messages by the setting and by what every path allows.
func (s *Stream) Adjust() {
	l := s.out.Limits
	limit, known := l.Most, false
	for _, q := range s.queues {
		session := q.Session()
		if session == nil {
			continue
		}
		if !known && s == s.out.Streams[0] && s.out.Sender.Asked() {
			s.out.Sender.Set(session.Ends().Local.Addr())
		}
		known = true
		if path := session.MaxMessage(); path > 0 {
			limit = min(limit, path)
		}
	}
	if !known && l.Unknown > 0 {
		limit = min(limit, l.Unknown)
	}
	if limit != s.limit {
		s.limit = limit
		s.Messages.SetLimit(limit)
	}
}
