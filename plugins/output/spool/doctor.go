// What `ulogd doctor` asks the spool.

package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"ulogd/engine"
	"ulogd/engine/doctor"
)

// Doctor finds a directory that cannot be made, or in which nothing can be written.
func Doctor(d *engine.DoctorReport, path string) {
	for {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || filepath.Dir(path) == path {
			doctor.Writable(d, filepath.Join(path, "lock"))
			return
		}
		path = filepath.Dir(path) // OpenDir makes what is missing
	}
}
