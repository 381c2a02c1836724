// What differs from store to store.

package store

import (
	"context"
	"encoding/hex"
	"fmt"

	"ulogd/engine"
)

// A Store is where rows go: a database, a log of messages, files.
type Store interface {
	// Name says to people which store it is: an address, a path. It has no secrets in it.
	Name() string
	// Connect makes a connection and has a look whether rows of these shapes fit in. Its error is
	// said and it is called again after a pause.
	Connect(ctx context.Context, env *engine.Env, shapes []*Shape) (Conn, error)
}

// A Conn is one connection to a store.
type Conn interface {
	// Send has the store take the rows, all or none of them. An error that is a [*Refused] concerns
	// these rows; any other has the connection closed and the rows sent again on the next one.
	Send(ctx context.Context, rows *Rows) error
	Close() error
	// A connection may have Maintain(ctx) error, too: it is called when the connection is made and
	// about once a minute, to make partitions and delete what is old.
}

type maintainer interface {
	Maintain(ctx context.Context) error
}

// A connection may have Fits(ctx, shape) error, too: it is asked before a row is given up for good whether the
// table is still the one that the row was encoded for. A table that was altered does not make bad rows of good ones.
type fitter interface {
	Fits(ctx context.Context, s *Shape) error
}

// A store may have Settled() int, too: what its connections have taken they still hold in memory, as for a file
// that is not whole, and count it themselves: less in Held, and more in Out or a reason. Settled returns how many
// Sends, from the first on, are where a death of the daemon does not reach them. The spool keeps the others until
// then.
type settler interface{ Settled() int }

// Refused is the error of rows that the store will never take.
type Refused struct{ Err error }

func (r *Refused) Error() string { return r.Err.Error() }

// Unwrap returns the reason.
func (r *Refused) Unwrap() error { return r.Err }

// An ID names a batch: it is as good as random.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ID names these rows: that of the batch, the first row, how many.
func (r *Rows) ID() string { return fmt.Sprintf("%s-%d-%d", r.Batch, r.First, r.Len()) }
