// A session with the other side, such as a log server or a database, that is kept up.

package sink

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"time"

	"ulogd/engine"
	"ulogd/engine/doctor"
)

// A Server is the target of an output with a protocol of its own: it says how to connect, and how
// one connection takes records.
//
// Connecting runs aside and is tried again with growing pauses, so that a daemon starts without the
// other side. While there is no connection an output with a queue waits, so that records gather
// there; without one they are dropped and counted. Records that a connection has not taken when it
// breaks are sent again on the next.
type Server struct {
	Name    string                                                   // of the other side, for messages: an address, a path
	Connect func(ctx context.Context, env *engine.Env) (Conn, error) // runs on a goroutine of its own
	Check   func(d *engine.DoctorReport)                             // says what will go wrong; nil: resolves the host of a Name that is host:port
	Gather  time.Duration                                            // how long records may gather before they are sent; 0: those of each batch go at once
	Most    int                                                      // octets after which they are sent in any case; 0: 64 KiB
	Pause   time.Duration                                            // the longest before connecting again; 0: 10 s
	Unsure  bool                                                     // to have connected tells nothing of the other side: datagrams

	buf    *Buffer
	conn   Conn
	dialed chan Conn // from the goroutine that connects
	asking bool      // such a goroutine runs
	tries  int       // connections that broke before the first record was taken

	since   time.Time // when the connection was made
	sent    time.Time // when records were last sent
	taking  time.Time // since when records are sent without an error; zero: the last one had one
	trouble Trouble

	connects              *engine.Counter
	noConnection, refused *engine.Drop
}

// A Conn is one connection of a session.
type Conn interface {
	// Send sends records and returns how many of them, from the first on, the other side has. A
	// [*Refused] concerns the record behind these: it is dropped, and those after it are sent next.
	// With any other error the connection is closed, and what it did not take goes to the next.
	Send(ctx context.Context, r Records) (n int, err error)
	// Gone returns why the connection cannot be used any more, nil as long as it can.
	Gone() error
	Close() error
}

// Records are what a connection is to send.
type Records struct {
	Data  []byte
	Ends  []int // where in Data each record ends
	Tries int   // how many connections broke before the first record was taken
}

// Len returns how many records there are.
func (r *Records) Len() int { return len(r.Ends) }

// At returns the i-th record.
func (r *Records) At(i int) []byte {
	if i == 0 {
		return r.Data[:r.Ends[0]]
	}
	return r.Data[r.Ends[i-1]:r.Ends[i]]
}

// Refused is the error of a record that the other side will never take.
type Refused struct {
	Err  error
	Drop *engine.Drop // what it is counted as; nil: refused
	Away bool         // because nobody is there; the next one is tried all the same
}

func (r *Refused) Error() string { return r.Err.Error() }

// Unwrap returns the reason.
func (r *Refused) Unwrap() error { return r.Err }

const (
	// sendAt is how many octets are gathered before they are sent.
	sendAt = 64 << 10
	// firstPause and longestPause are how long to wait before connecting again; each failure
	// doubles the pause.
	firstPause, longestPause = 100 * time.Millisecond, 10 * time.Second
	// dialTimeout limits one attempt.
	dialTimeout = 10 * time.Second
	// WaitSlice is how often what waits looks whether the shutdown timeout has ended.
	WaitSlice = 50 * time.Millisecond
	// tooSoon is the age below which a connection that broke is not made again at once: its peer
	// may accept and close in turn.
	tooSoon = 500 * time.Millisecond
	// surely is how long datagrams go without an error when there is somebody who takes them.
	surely = 2 * time.Second
)

// Open starts to connect.
func (s *Server) Open(b *Buffer) error {
	s.buf, s.dialed = b, make(chan Conn, 1)
	b.Prompt = s.Gather == 0
	if b.Limit = s.Most; b.Limit == 0 {
		b.Limit = sendAt
	}
	stats := b.Env.Stats
	s.connects = stats.Counter("connections", "connections made")
	s.noConnection = stats.Drop("no_connection", "records that came while there was no connection and could not wait: without a queue, or at the end")
	s.refused = stats.Drop("refused", "records that the other side will never take")
	s.trouble = Trouble{Env: b.Env, What: "peer", Name: s.Name, Peer: stats.Peer(s.Name)}
	s.connect()
	return nil
}

// Write sends what has gathered.
func (s *Server) Write() {
	s.sent = time.Now()
	for s.buf.Len() > 0 {
		if !s.ready() {
			s.buf.DropFrom(s.noConnection, 0)
			return
		}
		n, err := s.conn.Send(s.buf.Env.Until(), Records{Data: s.buf.Data, Ends: s.buf.Ends, Tries: s.tries})
		s.buf.Written(n)
		if n > 0 {
			s.tries = 0
		}
		if err == nil && n > 0 {
			s.works()
			continue
		}
		refused, ok := errors.AsType[*Refused](err)
		switch {
		case ok && s.buf.Len() > 0:
			why := refused.Drop
			if why == nil {
				why = s.refused
			}
			s.buf.DropFirst(why, 1)
			if refused.Away {
				s.taking = time.Time{}
				s.trouble.Say("records cannot be sent; those that come now are lost", refused.Err)
			} else {
				s.trouble.Refused("a record cannot be sent", refused.Err)
			}
			s.tries = 0
		default:
			s.tries++
			s.lose(cmp.Or(err, io.ErrNoProgress))
		}
	}
}

// Tick sends what has gathered for long enough, and connects again, also while no records come.
func (s *Server) Tick(now time.Time) {
	if s.conn != nil {
		if err := s.conn.Gone(); err != nil {
			s.lose(err)
		}
	}
	if s.conn == nil {
		s.connect()
		s.take()
	}
	if s.buf.Len() > 0 && now.Sub(s.sent) >= s.Gather {
		s.Write()
	}
	s.trouble.Tick(now)
}

// Flush sends everything.
func (s *Server) Flush() { s.Write() }

// Reopen gives up the connection and makes a new one, resolving names again.
func (s *Server) Reopen() {
	if s.conn != nil {
		s.conn.Close()
		s.conn, s.since = nil, time.Time{}
	}
	s.connect()
}

// Close closes the connection. The end of the daemon may have done so before.
func (s *Server) Close() error {
	if s.buf == nil {
		return nil
	}
	s.buf.DropFrom(s.noConnection, 0)
	s.take()
	if s.conn == nil {
		return nil
	}
	if err := s.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Doctor looks whether the other side can be found.
func (s *Server) Doctor(d *engine.DoctorReport) {
	if s.Check != nil {
		s.Check(d)
	} else if host, _, err := net.SplitHostPort(s.Name); err == nil {
		doctor.Resolves(d, host)
	}
}

// ready reports whether there is a connection, if need be after waiting for it.
func (s *Server) ready() bool {
	for {
		if s.conn != nil {
			err := s.conn.Gone()
			if err == nil {
				return true
			}
			s.lose(err)
		}
		s.connect()
		end := s.buf.Env.Deadline()
		if !s.buf.Patient || !end.IsZero() && time.Now().After(end) {
			return s.take()
		}
		s.buf.Env.Waits()
		select {
		case c := <-s.dialed:
			s.use(c)
		case <-time.After(WaitSlice):
		}
	}
}

// take takes the connection that has been made, if one has.
func (s *Server) take() bool {
	select {
	case c := <-s.dialed:
		s.use(c)
		return true
	default:
		return false
	}
}

func (s *Server) use(c Conn) {
	s.conn, s.asking, s.since = c, false, time.Now()
	s.connects.Add(1)
	if s.taking = (time.Time{}); s.Unsure && s.trouble.lasts() {
		return // works tells when it is over
	}
	s.trouble.Peer.Up()
	if !s.trouble.Over("connected again") && s.connects.Load() == 1 {
		s.buf.Env.Log.Info("connected", "peer", s.Name)
	}
}

// works notes that records were sent. Somebody who was away is there again when none has come back
// for some time: what is wrong with one datagram is heard with the next.
func (s *Server) works() {
	switch {
	case s.taking.IsZero():
		s.taking = s.sent
	case s.sent.Sub(s.taking) >= surely:
		s.trouble.Over("records can be sent again")
	}
}

func (s *Server) lose(err error) {
	s.conn.Close()
	s.conn = nil
	s.trouble.Say("the connection is lost; connecting again", err)
}

// connect starts to connect, unless that is under way.
func (s *Server) connect() {
	if s.asking {
		return
	}
	s.asking = true
	var first time.Duration
	if time.Since(s.since) < tooSoon {
		first = tooSoon
	}
	env, longest := s.buf.Env, cmp.Or(s.Pause, longestPause)
	env.Go(func(ctx context.Context) {
		for pause, next := firstPause, first; ; pause, next = min(2*pause, longest), pause {
			select {
			case <-ctx.Done():
				return
			case <-time.After(next):
			}
			c, err := s.dial(ctx, env)
			if err == nil {
				s.dialed <- c
				return
			}
			if ctx.Err() == nil {
				s.trouble.Say("cannot connect; trying again", err)
			}
		}
	})
}

func (s *Server) dial(ctx context.Context, env *engine.Env) (Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return s.Connect(ctx, env)
}
