package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"ulogd/engine"
	"ulogd/engine/checkup"
)

// Examine finds a directory that cannot be made, or in which nothing can be written.
func Examine(d *engine.Diagnosis, path string) {
	for {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || filepath.Dir(path) == path {
			checkup.Writable(d, filepath.Join(path, "lock"))
			return
		}
		path = filepath.Dir(path) // OpenDir makes what is missing
	}
}
