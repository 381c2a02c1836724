// One file while it is written: row groups, one after the other, each with the file's end behind it.

package parquet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/parquet-go/parquet-go/format"
	"golang.org/x/sys/unix"

	"ulogd/engine/safefile"
)

// unfinished is what the name of a file ends with that is not whole; it begins with a dot.
const unfinished = ".unfinished"

// A file is open for the rows of one hour and one shape.
type file struct {
	rows *group
	dir  string // of the hour
	name string
	used time.Time // when rows last came
	born time.Time

	out     *os.File // nil: there is none on disk yet
	size    int64    // what of it is whole
	written int      // rows
	groups  int
	meta    format.FileMetaData

	since int // the number of the Send with the first of the rows

	// What waits for room on the disk: the octets of a row group, its end, how many rows it has, since which Send.
	waits      []byte
	waiting    int
	waitsMeta  format.FileMetaData
	waitsSince int
}

func (f *file) path() string   { return filepath.Join(f.dir, f.name) }
func (f *file) hidden() string { return filepath.Join(f.dir, "."+f.name+unfinished) }

// make makes the file, and the folders of its day and hour.
func (f *file) make(top string) error {
	for _, dir := range []string{top, filepath.Dir(f.dir), f.dir} {
		if err := safefile.MkdirAll(dir, 0o755, safefile.User); err != nil {
			return fmt.Errorf("%w; give the directory to the user that ulogd runs as", err)
		}
	}
	out, err := safefile.Open(f.hidden(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644, safefile.User)
	if err != nil {
		return fmt.Errorf("%w; give the directory to the user that ulogd runs as", err)
	}
	if err := unix.Flock(int(out.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("lock %s: %w", f.hidden(), err), out.Close())
	}
	f.out = out
	return nil
}

// flush has the rows that have gathered written. It returns how many rows are now in the file that
// were not.
func (f *file) flush(top string) (rows int, err error) {
	if f.waiting == 0 && f.rows.len() > 0 {
		if err := f.encode(); err != nil {
			return 0, err
		}
	}
	if f.waiting == 0 {
		return 0, nil
	}
	if f.out == nil {
		if err := f.make(top); err != nil {
			return 0, err
		}
	}
	if _, err := f.out.WriteAt(f.waits, f.size); err != nil {
		f.out.Truncate(f.size)
		return 0, err
	}
	rows = f.waiting
	f.size += int64(len(f.waits))
	f.written += rows
	f.groups++
	f.meta = f.waitsMeta
	f.waits, f.waiting = f.waits[:0], 0
	return rows, nil
}

// encode makes a row group of the rows that have gathered, and the end of the file behind it.
func (f *file) encode() error {
	meta := f.meta
	if f.size == 0 {
		schema, err := f.rows.schema()
		if err != nil {
			return err
		}
		meta = *schema
	}
	n := f.rows.len()
	octets := f.waits[:0]
	if f.size == 0 {
		octets = append(octets, magic...)
	}
	octets, group, err := f.rows.encode(octets, f.size+int64(len(octets)))
	if err != nil {
		return err
	}
	group.Ordinal = int16(len(meta.RowGroups))
	meta.RowGroups = append(meta.RowGroups, group)
	meta.NumRows += group.NumRows
	f.waitsMeta = meta
	if f.waits, err = appendFooter(octets, &meta); err == nil {
		f.waiting, f.waitsSince = n, f.since
	}
	return err
}

// finish gives the file its name: from now on it is whole.
func (f *file) finish() error {
	if f.out == nil {
		return nil
	}
	out := f.out
	f.out = nil
	err := out.Sync()
	if err == nil {
		err = safefile.Rename(f.hidden(), f.path())
	}
	if err == nil {
		err = syncDir(f.dir)
	}
	return errors.Join(err, out.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
