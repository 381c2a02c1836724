// Spools of daemons that are killed.

package dbtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// SpoolOfTheDead returns a copy of a spool that is in use: what a daemon would leave that is killed now.
func SpoolOfTheDead(t testing.TB, spool string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := filepath.WalkDir(spool, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // what it held has arrived
		}
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(spool, path)
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(dir, name), 0o700)
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
