// Files that a library opens by their names, with others beside them, and again whenever it likes.

package safefile

import (
	"cmp"
	"fmt"
)

// Library says by an error why root must not have a library open a file for writing. What is opened here is looked at
// by its descriptor; a library goes by the path, and whoever can put a name into a directory on the way can have it
// follow a link at any time. So nobody but root may. For a daemon that becomes the user of -u it has nothing to say:
// the library opens the file as that user.
func Library(path string) error {
	if !asRoot() || heir.Load() > 1 {
		return nil
	}
	p, err := find(path)
	if err != nil {
		return failed("open", path, err)
	}
	defer p.dir.close()
	if who := cmp.Or(p.dir.shaky, p.dir.writers); who != "" {
		return failed("open", path, fmt.Errorf("%s and could have root follow a link; start ulogd with -u USER, or name "+
			"a file in a directory that root alone can write", who))
	}
	return nil
}
