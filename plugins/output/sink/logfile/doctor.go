// What `ulogd doctor` asks a file.

package logfile

import (
	"time"

	"ulogd/engine"
	"ulogd/engine/doctor"
)

// Doctor finds a path that cannot be written. An output that embeds a File has this method too.
func (f *File) Doctor(d *engine.DoctorReport) {
	path := f.Path
	if f.Name != nil {
		path = f.Name(time.Now())
	}
	doctor.Writable(d, path)
}
