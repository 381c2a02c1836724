// What `ulogd doctor` asks UNIXSOCK.

package unixsock

import (
	"ulogd/engine"
	"ulogd/engine/doctor"
)

// Doctor finds a path at which no socket can be made.
func (u *unixsock) Doctor(d *engine.DoctorReport) { doctor.Writable(d, u.path) }
