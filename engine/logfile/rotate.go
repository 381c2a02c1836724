// Rotation by the daemon itself, for files that logrotate does not look after.

package logfile

import (
	"fmt"
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

// due tells whether a file of that size is to be put aside.
func (r *Rotation) due(size int64) bool {
	return r.Size > 0 && size >= r.Size && (r.retry.IsZero() || time.Now().After(r.retry))
}

func (r *Rotation) elapsed(now time.Time) bool { return r.Every > 0 && !now.Before(r.next) }

func (r *Rotation) begun(now time.Time) { r.next, r.retry = now.Add(r.Every), time.Time{} }

// rotate puts the file aside and begins a new one.
func (f *File) rotate(now time.Time) {
	if !f.out.regular {
		f.Rotate.begun(now)
		return
	}
	aside := unused(dated(f.out.path, now))
	if err := os.Rename(f.out.path, aside); err != nil {
		f.env.Log.Error("cannot put the file aside; it goes on to grow", "error", err)
		f.Rotate.next = now.Add(complainEvery)
		f.Rotate.retry = f.Rotate.next
		return
	}
	f.reopen(now)
	f.removeOld()
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
