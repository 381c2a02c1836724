// The store's side: a goroutine that connects and sends, one batch after the other.

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/sink"
)

const (
	// firstPause is how long to wait before trying again; each failure doubles it.
	firstPause = 100 * time.Millisecond
	// dialTimeout limits one attempt to connect, unless the output has another limit.
	dialTimeout = 10 * time.Second
	// maintainEvery is how often a connection may tidy up.
	maintainEvery = time.Minute
)

// A sender has the connection.
type sender struct {
	q      *queue
	work   chan *batch
	done   chan *batch // has room for all that the sender can have
	cancel context.CancelFunc
	ctx    context.Context // ends when the output closes, or at its deadline
	ended  chan struct{}
	left   *batch // what was not sent when it ended
	sent   int    // how often the store has taken rows
	away   atomic.Bool

	conn       Conn
	failed     bool // the store was there and did not take records
	shapes     []*Shape
	maintained time.Time
	trouble    sink.Trouble
	pause      time.Duration
	connects   *engine.Counter
	refused    *engine.Drop
	batches    *engine.Counter
}

func newSender(q *queue) *sender {
	s := &sender{q: q, work: make(chan *batch, 1), done: make(chan *batch, 4), ended: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(q.env.Until())
	for _, l := range q.lanes {
		s.shapes = append(s.shapes, l.shape)
	}
	stats, name := q.env.Stats, q.store.Name()
	s.connects = stats.Counter("connections", "connections made")
	s.batches = stats.Counter("batches", "batches that the store has taken, halves of them apart")
	s.refused = stats.Drop("refused", "records that the store will never take; the log has its words")
	s.trouble = sink.Trouble{Env: q.env, What: "store", Name: name, Peer: stats.Peer(name)}
	return s
}

// end ends the goroutine and returns what it had not sent.
func (s *sender) end() (left []*batch) {
	s.cancel()
	<-s.ended
	if s.left != nil {
		left = append(left, s.left)
	}
	select {
	case b := <-s.work:
		left = append(left, b)
	default:
	}
	return left
}

func (s *sender) run(ctx context.Context) {
	defer close(s.ended)
	defer context.AfterFunc(ctx, s.cancel)()
	defer func() {
		if s.conn != nil {
			s.conn.Close()
		}
	}()
	for {
		if s.conn == nil && !s.connect() {
			if !s.rest() {
				return
			}
			continue
		}
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(maintainEvery):
			s.maintain()
		case b := <-s.work:
			if !s.deliver(b, b.part(b.taken, b.Len())) {
				s.left = b
				return
			}
			b.sent = s.sent
			s.done <- b
		}
	}
}

// deliver has the store take rows of a batch, however long that takes. It returns false if the
// output is to end.
func (s *sender) deliver(b *batch, rows Rows) bool {
	for {
		n := rows.Len()
		err := s.send(&rows)
		refused, ok := errors.AsType[*Refused](err)
		partly, _ := errors.AsType[*Partly](err)
		switch {
		case err == nil:
			b.taken += n
			if s.sent++; s.q.settler == nil {
				s.q.env.Stats.Out.Add(n)
				s.q.env.Stats.Held.Add(-n)
			}
			s.batches.Add(1)
			s.pause = 0
			s.works()
			return true
		case ok && n > 1:
			return s.deliver(b, rows.part(0, n/2)) && s.deliver(b, rows.part(n/2, n))
		case partly != nil:
			return s.deliver(b, rows.part(0, partly.At)) && s.deliver(b, rows.part(partly.At, n))
		case ok && s.fits(&rows, &err):
			b.taken++
			s.refused.Add(1)
			s.q.env.Stats.Held.Add(-1)
			s.works()
			s.trouble.Refused("the store refuses a record", refused.Err)
			return true
		case s.ctx.Err() != nil:
			return false
		}
		if s.conn != nil {
			s.failed = true
			s.lose("the store does not take records; trying again", err)
		}
		if !s.rest() {
			return false
		}
	}
}

// works notes that the store has answered.
func (s *sender) works() {
	s.away.Store(false)
	s.failed = false
	s.trouble.Over("the store takes records again")
}

var errAway = errors.New("there is no connection")

// send sends rows once.
func (s *sender) send(rows *Rows) error {
	if s.q.anew.Swap(false) && s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	if s.conn == nil && !s.connect() {
		return errAway
	}
	if time.Since(s.maintained) >= maintainEvery {
		s.maintain()
		if s.conn == nil {
			return errAway
		}
	}
	defer s.watch()()
	return s.conn.Send(s.ctx, rows)
}

// fits reports whether a row that is refused stands for a table that is as it was when it was encoded; else it says
// why not.
func (s *sender) fits(rows *Rows, err *error) bool {
	f, asks := s.conn.(fitter)
	if !asks {
		return true
	}
	if e := f.Fits(s.ctx, rows.Shape); e != nil {
		*err = fmt.Errorf("%w; %w", e, *err)
		return false
	}
	return true
}

// slowAfter is how long a store may work at a batch before that is said: it may be stuck behind a lock, or no longer
// there.
const slowAfter = 10 * time.Second

// watch says that a batch takes long; and, once it is stopped, that this is over.
func (s *sender) watch() (stop func()) {
	log, name := s.q.env.Limited(), s.trouble.Name
	slow := time.AfterFunc(slowAfter, func() {
		log.Warn("the store takes long for a batch; records wait", "store", name, "longer_than", slowAfter)
	})
	return func() {
		if !slow.Stop() {
			log.Over("the store has answered", "store", name)
		}
	}
}

func (s *sender) lose(text string, err error) {
	s.conn.Close()
	s.conn = nil
	s.away.Store(true)
	s.trouble.Say(text, err)
}

// rest waits before the next attempt. It returns false if there is to be none.
func (s *sender) rest() bool {
	s.pause = min(max(2*s.pause, firstPause), s.q.output.pause)
	select {
	case <-s.ctx.Done():
		return false
	case <-time.After(s.pause):
		return true
	}
}

// connect tries to connect once.
func (s *sender) connect() bool {
	ctx, cancel := context.WithTimeout(s.ctx, cmp.Or(s.q.output.Within, dialTimeout))
	defer cancel()
	c, err := s.q.store.Connect(ctx, s.q.env, s.shapes)
	if err != nil {
		s.away.Store(true)
		if s.ctx.Err() == nil {
			s.trouble.Say("cannot connect; trying again", err)
		}
		return false
	}
	s.conn = c
	s.connects.Add(1)
	s.trouble.Peer.Up()
	switch {
	case s.failed: // it is over when the store takes records
	case s.trouble.Over("connected again"):
	case s.connects.Load() == 1:
		s.q.env.Log.Info("connected", "store", s.trouble.Name)
	}
	s.maintain()
	if s.conn != nil {
		s.away.Store(false)
	}
	return s.conn != nil
}

func (s *sender) maintain() {
	m, ok := s.conn.(maintainer)
	if !ok {
		s.maintained = time.Now()
		return
	}
	if err := m.Maintain(s.ctx); err != nil {
		s.lose("the store cannot be maintained; trying again", err)
		return
	}
	s.maintained = time.Now()
}
