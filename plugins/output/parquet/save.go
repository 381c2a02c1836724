// What a daemon that was killed has left.

package parquet

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"ulogd/engine/safefile"
)

// save ends the unfinished files of earlier runs behind their last whole row group.
func (s *files) save() error {
	left, err := filepath.Glob(filepath.Join(s.dir, "dt=*", "hour=*", ".*.parquet"+unfinished))
	if err != nil {
		return err
	}
	for _, path := range left {
		rows, err := saveFile(path)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK): // another output writes it
		case err != nil:
			s.env.Limited().Error("an unfinished file cannot be saved; it stays", "file", path, "error", err)
		default:
			s.env.Log.Info("a file that an earlier run left unfinished is whole up to its last row group", "file", path,
				"rows", rows)
		}
	}
	return nil
}

// saveFile cuts off what is behind the last whole row group and gives the file its name. It returns
// how many rows are left; a file without any is removed.
func saveFile(path string) (rows int64, err error) {
	f, err := safefile.Open(path, os.O_RDWR, 0, safefile.User)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	end, rows := wholeUpTo(f, info.Size())
	if rows == 0 {
		return 0, safefile.Remove(path)
	}
	if err := errors.Join(f.Truncate(end), f.Sync()); err != nil {
		return 0, err
	}
	dir, name := filepath.Split(path)
	return rows, safefile.Rename(path, dir+strings.TrimSuffix(strings.TrimPrefix(name, "."), unfinished))
}
