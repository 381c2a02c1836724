// Rotation by the daemon itself, for files that logrotate does not look after.

package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ulogd/engine"
)

// Rotation says when a file is put aside under a name with the time in it and begun anew. The zero Rotation never does.
type Rotation struct {
	Size  int64         // octets; 0: no limit
	Every time.Duration // 0: no limit
	Keep  int           // files put aside beyond this number are removed, the oldest first; 0: all stay

	next  time.Time
	retry time.Time // after a failure
}

// Declare declares the options of a rotation.
func (r *Rotation) Declare(o *engine.Options) {
	o.Size(&r.Size, "rotate_size", 0, "size at which the file is put aside as NAME-YYYYMMDD-HHMMSS.EXTENSION and begun anew; 0: never")
	o.Seconds(&r.Every, "rotate_seconds", 0, "age at which the file is put aside; 0: never")
	engine.Int(o, &r.Keep, "rotate_keep", 0, "how many files put aside are kept; older ones are removed; 0: all")
}

// full tells whether the file is to be put aside for its size.
func (r *Rotation) full(t *target) bool {
	return r.Size > 0 && t.regular && t.size >= r.Size && r.retry.IsZero()
}

// elapsed tells whether the file is to be put aside for its age.
func (r *Rotation) elapsed(now time.Time) bool {
	return r.Every > 0 && !now.Before(r.next) && r.retry.IsZero()
}

func (r *Rotation) begun(now time.Time) { r.next, r.retry = now.Add(r.Every), time.Time{} }

// rotate puts the file aside and begins a new one. If that fails it is tried again after a minute.
func (f *File) rotate(now time.Time) {
	if !f.out.regular {
		f.Rotate.begun(now)
		return
	}
	err := os.Rename(f.out.path, unused(dated(f.out.path, now)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.env.Log.Error("cannot put the file aside; it goes on to grow", "error", err)
	} else if f.reopen(now) {
		f.removeOld()
		return
	}
	f.Rotate.retry = now.Add(complainEvery)
	f.setLimit()
}

func (f *File) removeOld() {
	if f.Rotate.Keep <= 0 {
		return
	}
	ext := filepath.Ext(f.out.path)
	old, _ := filepath.Glob(strings.TrimSuffix(f.out.path, ext) + "-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]-*" + ext)
	slices.Sort(old)
	for _, path := range old[:max(0, len(old)-f.Rotate.Keep)] {
		if err := os.Remove(path); err != nil {
			f.env.Log.Error("cannot remove an old file", "error", err)
		}
	}
}

// dated puts a local time in front of the path's extension.
func dated(path string, now time.Time) string {
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + now.Format("-20060102-150405") + ext
}

// unused returns the path, or the path with -1, -2 ... in front of its extension if there is such a file.
func unused(path string) string {
	ext := filepath.Ext(path)
	free := path
	for i := 1; ; i++ {
		if _, err := os.Lstat(free); err != nil {
			return free
		}
		free = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(path, ext), i, ext)
	}
}
