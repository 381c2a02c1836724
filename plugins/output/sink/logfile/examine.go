package logfile

import (
	"time"

	"ulogd/engine"
	"ulogd/engine/checkup"
)

// Examine finds a path that cannot be written. An output that embeds a File has this method too.
func (f *File) Examine(d *engine.Diagnosis) {
	path := f.Path
	if f.Name != nil {
		path = f.Name(time.Now())
	}
	checkup.Writable(d, path)
}
