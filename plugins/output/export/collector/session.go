// What an established session can do, whatever it runs over.

package collector

import (
	"context"
	"errors"

	"ulogd/engine"
)

// A Piece is one message of those that a session is handed together: its octets, and its data
// records.
type Piece struct{ Length, Records uint16 }

// A LaterError says that a session is whole but cannot send now: the queue keeps the message and
// tries again.
type LaterError struct{ Err error }

func (e *LaterError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *LaterError) Unwrap() error { return e.Err }

// errRefused says that the collector's host refused an earlier datagram: whoever listens there next
// knows no template.
var errRefused = errors.New("nobody listens there")

// A Session is an established way to a collector. Its methods never block and are called from one
// goroutine at a time.
type Session interface {
	// Send takes messages that stand one behind another in p. It returns how many octets were
	// taken, which is less than all of p, without an error, when the socket's buffer is full.
	// Datagrams are taken whole, streams cut anywhere. An error means that the session is broken,
	// unless it is a [LaterError] or errRefused.
	Send(p []byte, pieces []Piece) (int, error)
	// Drain reads and discards what the peer says. An error means that the session is broken:
	// io.EOF that the peer has closed it.
	Drain() error
	// Flush writes what the session itself holds, and reports whether nothing is left.
	Flush() (bool, error)
	// Acked returns how many of the octets taken so far the peer's kernel has acknowledged; it
	// works after a break too. Datagrams are never acknowledged, and count as soon as they are
	// sent.
	Acked() int64
	// MaxMessage returns the octets of the largest message that fits the path now; 0 means any.
	MaxMessage() int
	// Ends returns protocol and addresses of both ends.
	Ends() engine.SocketPair
	// Shutdown tells the peer that nothing more will come; what was taken is still delivered.
	Shutdown() error
	Close() error
}

// A datagramSession sends datagrams: nobody says that they have arrived.
type datagramSession interface {
	Session
	// Refused returns how many times the collector's host said that nobody listens there.
	Refused() int64
}

// A Dial makes a session. It may take as long as the context allows.
type Dial func(ctx context.Context) (Session, error)
