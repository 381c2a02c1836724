// Which files of a followed directory have been read, also by the run before.

package pcap

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ulogd/engine/safefile"
)

// taken remembers files by path, size and time, so that a name that is written anew, as by
// tcpdump -W, is another file. On disk each that has been read is a line: size, time in ns since
// 1970, path.
type taken struct {
	files map[string]stamp // read, or about to be
	read  map[string]bool  // read to the end
	path  string
	file  *os.File // nil: nothing is kept on disk
	size  int64    // of its whole lines
	lines int
}

// maxState is more than a million files take, and no danger for the memory.
const maxState = 256 << 20

type stamp struct{ size, time int64 }

func stampOf(info fs.FileInfo) stamp { return stamp{info.Size(), info.ModTime().UnixNano()} }

// open reads what the run before has noted, and goes on with the file; "" keeps nothing on disk.
// What this run knows already, it still knows.
func (t *taken) open(path string) error {
	if t.files == nil {
		t.files, t.read = map[string]stamp{}, map[string]bool{}
	}
	for name := range t.files {
		if !t.read[name] {
			delete(t.files, name) // the input has failed and is opened again
		}
	}
	if path == "" {
		return nil
	}
	f, err := safefile.Regular(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600, safefile.User)
	if err != nil {
		return fmt.Errorf("follow_state: %w", err)
	}
	t.path, t.file, t.size, t.lines = path, f, 0, 0
	text, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err == nil && len(text) > maxState {
		err = fmt.Errorf("%s is larger than %d MiB; remove it to have all capture files read again", path, maxState>>20)
	}
	if err != nil {
		return fmt.Errorf("follow_state: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		whole, ended := strings.CutSuffix(line, "\n")
		if !ended { // the machine died, or the disk was full
			return f.Truncate(t.size)
		}
		t.lines++
		name, at, err := parseTaken(whole)
		if err != nil {
			return fmt.Errorf("follow_state: %s:%d: %w; remove the file to have all capture files read again", path, t.lines,
				err)
		}
		t.files[name], t.read[name] = at, true
		t.size += int64(len(line))
	}
	return nil
}

func parseTaken(line string) (name string, at stamp, err error) {
	words := strings.SplitN(line, " ", 3)
	if len(words) == 3 {
		at.size, err = strconv.ParseInt(words[0], 10, 64)
		if err == nil {
			at.time, err = strconv.ParseInt(words[1], 10, 64)
		}
		if err == nil {
			name, err = strconv.Unquote(words[2])
		}
	}
	if len(words) != 3 || err != nil {
		return "", at, errors.New("is no line of size, time and quoted path")
	}
	return name, at, nil
}

func (t *taken) has(path string, info fs.FileInfo) bool {
	at, ok := t.files[path]
	return ok && at == stampOf(info)
}

// add notes a file that is about to be read.
func (t *taken) add(path string, info fs.FileInfo) {
	t.files[path] = stampOf(info)
	delete(t.read, path)
}

// done notes that a file has been read.
func (t *taken) done(path string) error {
	t.read[path] = true
	if t.file == nil {
		return nil
	}
	if t.lines > 2*len(t.files)+100 && t.rewrite() == nil {
		return nil
	}
	n, err := t.file.WriteString(t.line(path))
	if err != nil { // no half of a line in front of the next
		return errors.Join(err, t.file.Truncate(t.size))
	}
	t.lines++
	t.size += int64(n)
	return nil
}

func (t *taken) line(path string) string {
	at := t.files[path]
	return fmt.Sprintf("%d %d %q\n", at.size, at.time, path)
}

// rewrite leaves out the lines of files that are gone: in a file beside it that takes its place when it
// is whole, so that nothing is read again whatever happens meanwhile.
func (t *taken) rewrite() error {
	var all strings.Builder
	for path := range t.read {
		all.WriteString(t.line(path))
	}
	beside := t.path + ".new"
	f, err := safefile.Open(beside, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600, safefile.User)
	if err != nil {
		return err
	}
	if _, err = f.WriteString(all.String()); err == nil {
		err = safefile.Rename(beside, t.path)
	}
	if err != nil {
		return errors.Join(err, f.Close(), safefile.Remove(beside))
	}
	old := t.file
	t.file, t.lines, t.size = f, len(t.read), int64(all.Len())
	return old.Close()
}

// forget leaves out files that are gone. A directory that has none any more may be unmounted.
func (t *taken) forget(there map[string]bool) {
	dirs := map[string]bool{}
	for path := range there {
		dirs[filepath.Dir(path)] = true
	}
	for path := range t.files {
		if !there[path] && dirs[filepath.Dir(path)] {
			delete(t.files, path)
			delete(t.read, path)
		}
	}
}

func (t *taken) close() error {
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file = nil
	return err
}
