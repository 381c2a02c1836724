// Rotation by the daemon itself, for files that logrotate does not look after.

package logfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/engine/safefile"
	"ulogd/engine/zone"
)

// Rotation says when a file is put aside under a name with the time in it and begun anew. The zero
// Rotation never does.
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

// full reports whether the file is to be put aside for its size.
func (r *Rotation) full(t *target) bool {
	return r.Size > 0 && t.regular && t.size >= r.Size && r.retry.IsZero()
}

// elapsed reports whether the file is to be put aside for its age.
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
	if err := PutAside(f.out.path, now); err != nil {
		f.b.Env.Log.Error("cannot put the file aside; it goes on to grow", "error", err)
	} else if f.reopen(now) {
		if err := f.Rotate.RemoveOld(f.out.path, now); err != nil {
			f.b.Env.Log.Error("cannot remove an old file", "error", err)
		}
		return
	}
	f.Rotate.retry = now.Add(retryEvery)
	f.setLimit()
}

// PutAside gives the file at a path a name with the time in it. That there is none is no error.
func PutAside(path string, now time.Time) error {
	if err := safefile.Rename(path, unused(dated(path, now))); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// RemoveOld removes the oldest of the files put aside from a path, so that Keep are left. Their names are in local
// time, of which an hour comes twice when summer ends: how old a file is its last change tells. One from the future was
// written before the clock was set back.
func (r *Rotation) RemoveOld(path string, now time.Time) error {
	if r.Keep <= 0 {
		return nil
	}
	ext := extension(path)
	old, _ := filepath.Glob(strings.TrimSuffix(path, ext) + "-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]-*" + ext)
	changed := map[string]time.Time{}
	for _, path := range old {
		if fi, err := os.Lstat(path); err == nil && !fi.ModTime().After(now.Add(time.Minute)) {
			changed[path] = fi.ModTime()
		}
	}
	slices.SortFunc(old, func(a, b string) int {
		return cmp.Or(changed[a].Compare(changed[b]), cmp.Compare(a, b))
	})
	var errs []error
	for _, path := range old[:max(0, len(old)-r.Keep)] {
		errs = append(errs, safefile.Remove(path))
	}
	return errors.Join(errs...)
}

// extension is what a path ends with and rotation leaves at its end: .EXTENSION, with .gz or .zst
// behind it if there is one.
func extension(path string) string {
	ext := filepath.Ext(path)
	if ext == ".gz" || ext == ".zst" {
		return filepath.Ext(strings.TrimSuffix(path, ext)) + ext
	}
	return ext
}

// dated puts a local time in front of the path's extension.
func dated(path string, now time.Time) string {
	ext := extension(path)
	return strings.TrimSuffix(path, ext) + now.In(zone.Local()).Format("-20060102-150405") + ext
}

// unused returns the path, or the path with -1, -2 ... in front of its extension if there is such a
// file.
func unused(path string) string {
	ext := extension(path)
	free := path
	for i := 1; ; i++ {
		if _, err := os.Lstat(free); err != nil {
			return free
		}
		free = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(path, ext), i, ext)
	}
}
