// What an established session can do, whatever it runs over.

package collector

import (
	"context"

	"ulogd/engine"
)

// A Session is an established way to a collector. Its methods never block and are called from one goroutine at a time.
type Session interface {
	// Send takes messages that stand one behind another in p; lengths are theirs. It returns how many octets were
	// taken, which is less than all of p, without an error, when the socket's buffer is full. Datagrams are taken whole, streams cut
	// anywhere. An error means that the session is broken.
	Send(p []byte, lengths []uint16) (int, error)
	// Drain reads and discards what the peer says. An error means that the session is broken: io.EOF that the peer has closed it.
	Drain() error
	// Flush writes what the session itself holds, and tells whether nothing is left.
	Flush() (bool, error)
	// Acked returns how many of the octets taken so far the peer's kernel has acknowledged; it works after a break too. Datagrams are never acknowledged, and
	// count as soon as they are sent.
	Acked() int64
	// MaxMessage returns the octets of the largest message that fits the path now; 0 means any.
	MaxMessage() int
	// Ends returns protocol and addresses of both ends.
	Ends() engine.Session
	// Shutdown tells the peer that nothing more will come; what was taken is still delivered.
	Shutdown() error
	Close() error
}

// A Dial makes a session. It may take as long as the context allows.
type Dial func(ctx context.Context) (Session, error)
