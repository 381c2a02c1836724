// Segment files: their names, and what a run finds of an earlier one.

package spool

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ulogd/engine/safefile"
)

const suffix = ".spool"

// firstNumber leaves room for segments that are put in front.
const firstNumber = 1 << 60

func fileName(number uint64) string { return fmt.Sprintf("%016x%s", number, suffix) }

func parseName(name string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 16, 64)
	return number, err == nil
}

// takeOver returns a segment of an earlier run, nil if it holds nothing. A tail that was not
// written to its end is cut off.
func (s *Spool) takeOver(number uint64) (*segment, error) {
	path := filepath.Join(s.path, fileName(number))
	f, err := safefile.Regular(path, os.O_RDWR, 0, safefile.User)
	if err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	defer f.Close()
	records, octets, ok := total(f)
	if !ok {
		p, err := io.ReadAll(io.NewSectionReader(f, 0, maxSegment))
		if err != nil {
			return nil, fmt.Errorf("read the spool: %w", err)
		}
		var tear int
		records, tear = survey(p)
		octets = int64(tear)
		if tear < len(p) {
			s.cut.Add(1)
			s.Log.Warn("the last message of a segment is not whole: the daemon or the machine died while it was written", "file", path, "offset", tear, "octets", len(p)-tear)
		}
		if records > 0 {
			octets, err = mend(f, tear, records)
			if err != nil {
				return nil, fmt.Errorf("complete the spool: %w", err)
			}
		}
	}
	if records == 0 {
		return nil, safefile.Remove(path)
	}
	return &segment{number: number, octets: octets, left: records, all: records}, nil
}

// total returns what a complete segment says of itself.
func total(f *os.File) (records int, octets int64, ok bool) {
	fi, err := f.Stat()
	if err != nil || fi.Size() < headLen {
		return 0, 0, false
	}
	var end [headLen]byte
	if _, err := f.ReadAt(end[:], fi.Size()-headLen); err != nil {
		return 0, 0, false
	}
	c := cursor{p: end[:]}
	m, s := c.next()
	return m.Records, fi.Size(), s == ended
}

// mend makes a torn segment complete.
func mend(f *os.File, tear, records int) (int64, error) {
	if err := f.Truncate(int64(tear)); err != nil {
		return 0, err
	}
	end := appendEnd(nil, records)
	_, err := f.WriteAt(end, int64(tear))
	return int64(tear + len(end)), err
}

// readFile returns what is in a segment, which is no link of somebody else's. What is larger than segments become is cut
// off: whoever may write the spool cannot have the daemon take all memory.
func readFile(path string) ([]byte, error) {
	f, err := safefile.Regular(path, os.O_RDONLY, 0, safefile.User)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSegment))
}
