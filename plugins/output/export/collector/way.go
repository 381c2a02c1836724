// What a queue asks for sessions.

package collector

import "time"

// A Way brings sessions up, one after another: a [Connector] to collectors, or something else that takes
// messages, such as a file. Its methods are called from one goroutine at a time.
type Way interface {
	// Name says where the way leads.
	Name() string
	// Poll returns the session, nil while there is none, and whether it is new; an older one is
	// then the caller's to close.
	Poll(now time.Time) (s Session, fresh bool)
	// Better looks for a session that is preferred to the present one; Poll then returns it.
	Better(now time.Time)
	// Dialing reports whether a session may come up soon.
	Dialing() bool
	// Failing reports whether the last attempt to bring one up has failed.
	Failing() bool
	// Due returns when the next attempt to bring one up may begin.
	Due() time.Time
	// Break gives up the session, because of an error.
	Break(err error)
	// Reset gives up the session and brings up another one at once: the operator asked for it.
	Reset()
	// Close ends the session.
	Close() error
}
