// Names of connection labels, from connlabel.conf: lines of a number and a name, with # comments.

package rows

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"ulogd/engine"
	"ulogd/engine/safefile"
)

// labelNames are the names by number; a label without one shows its number.
type labelNames [128]string

// readLabels reads the file. A missing one is no error.
func readLabels(path string) (*labelNames, error) {
	text, err := readAll(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("connlabel_conf: %w", err)
	}
	names := &labelNames{}
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	line := 0
	for s := range strings.Lines(string(text)) {
		line++
		s, _, _ = strings.Cut(s, "#")
		f := strings.Fields(s)
		if len(f) == 0 {
			continue
		}
		n, err := strconv.ParseUint(f[0], 0, 8)
		if len(f) != 2 || err != nil || n > 127 {
			// The line itself is not shown: it could be that of any file, where others have put a link.
			return nil, fmt.Errorf("connlabel_conf: %s:%d: is not a number from 0 to 127 and a name", path, line)
		}
		names[n] = f[1]
	}
	return names, nil
}

// readAll reads a file, as root none that others have led to.
func readAll(path string) ([]byte, error) {
	f, err := safefile.Regular(path, os.O_RDONLY, 0, safefile.Daemon)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return safefile.Whole(f)
}

// appendNames appends the names of the labels that are set, joined by commas.
func (l *labelNames) appendNames(dst []byte, labels *engine.Label) []byte {
	for i, name := range l {
		if labels[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		if len(dst) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, name...)
	}
	return dst
}
