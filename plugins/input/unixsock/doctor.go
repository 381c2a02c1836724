package unixsock

import (
	"ulogd/engine"
	"ulogd/engine/checkup"
)

// Examine finds a path at which no socket can be made.
func (u *unixsock) Examine(d *engine.Diagnosis) { checkup.Writable(d, u.path) }
