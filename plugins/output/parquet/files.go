// The files that are open, one for each hour that rows come from, and when they end.

package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// maxHours is how many hours of a shape are open at once: rows come nearly in order, and a capture
// that does not must not take all memory.
const maxHours = 4

// maxGroups is how many row groups a file may have: the end that stands behind each grows with them.
const maxGroups = 100

// files are an output's.
type files struct {
	dir        string
	rotateSize int64
	rotateAge  time.Duration
	groupRows  int

	mu      sync.Mutex // the sender adds rows, the output's goroutine ends files by their age
	shapes  []*shape
	saved   bool // what an earlier run left was saved
	env     *engine.Env
	ended   *engine.Counter
	lost    *engine.Drop
	counter uint32 // of names
	sends   int    // how often rows were taken
	settled int    // of these, whose rows were all in files when that was last looked at
}

// A shape is the open files of one shape, and where its rows are dated.
type shape struct {
	*store.Shape
	dating store.Dating
	row    []store.Value
	open   map[int64]*file // by hours since 1970
	last   *file           // that rows went into
	hour   int64
	spare  *group
}

func (s *files) open(env *engine.Env) {
	s.env = env
	s.ended = env.Stats.Counter("files", "files that are whole and have their name")
	s.lost = env.Stats.Drop("unfinished", "records that were to go into a file and found no room on the disk until "+
		"the end of the daemon")
}

// begin writes what waits. It is called whenever the output connects.
func (s *files) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.saved {
		if err := s.save(); err != nil {
			return err
		}
		s.saved = true
	}
	return s.drain()
}

// drain writes row groups that wait for room on the disk.
func (s *files) drain() error {
	for _, sh := range s.shapes {
		for _, f := range sh.open {
			if f.waiting > 0 {
				if err := s.flush(f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// flush writes the rows of a file and counts them.
func (s *files) flush(f *file) error {
	n, err := f.flush(s.dir)
	s.env.Stats.Out.Add(n)
	s.env.Stats.Held.Add(-n)
	return err
}

// add takes rows. It takes none while row groups wait for room.
func (s *files) add(rows *store.Rows) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.drain(); err != nil {
		return err
	}
	sh := s.shape(rows.Shape)
	now := time.Now()
	s.sends++
	for i := range rows.Len() {
		rows.Read(i, sh.row)
		at, ok := sh.dating.Of(sh.row)
		if !ok {
			at = engine.Time(now.UnixNano())
		}
		s.take(sh, s.file(sh, int64(at)/int64(time.Hour), now), sh.row, int64(at))
	}
	return nil
}

// take adds a row to a file.
func (s *files) take(sh *shape, f *file, row []store.Value, at int64) {
	if f.rows.len() == 0 {
		f.since = s.sends
	}
	f.rows.add(row, at)
	if f.waiting == 0 && f.rows.full(s.groupRows) {
		s.grown(sh, f)
	}
}

// grown writes a row group that is full. What finds no room waits, and so do the rows that come.
func (s *files) grown(sh *shape, f *file) {
	if s.flush(f) == nil && (f.size >= s.rotateSize || f.groups >= maxGroups) {
		s.end(sh, f)
	}
}

// shape finds the files of a shape.
func (s *files) shape(of *store.Shape) *shape {
	for _, sh := range s.shapes {
		if sh.Shape == of {
			return sh
		}
	}
	sh := &shape{Shape: of, dating: of.Dating(), row: make([]store.Value, len(of.Keys)), open: map[int64]*file{}}
	s.shapes = append(s.shapes, sh)
	return sh
}

// file returns the file of an hour.
func (s *files) file(sh *shape, hour int64, now time.Time) *file {
	if sh.last != nil && sh.hour == hour {
		return sh.last
	}
	f := sh.open[hour]
	if f == nil {
		if len(sh.open) >= maxHours {
			s.end(sh, sh.oldest())
		}
		f = s.new(sh, hour, now)
		sh.open[hour] = f
	}
	f.used, sh.last, sh.hour = now, f, hour
	return f
}

// oldest returns the file into which no rows have come for longest.
func (sh *shape) oldest() (old *file) {
	for _, f := range sh.open {
		if old == nil || f.used.Before(old.used) {
			old = f
		}
	}
	return old
}

func (s *files) new(sh *shape, hour int64, now time.Time) *file {
	at := time.Unix(hour*3600, 0).UTC()
	s.counter++
	id := binary.BigEndian.AppendUint32(nil, uint32(os.Getpid()))
	f := &file{
		rows: sh.spare, used: now, born: now,
		dir:  filepath.Join(s.dir, at.Format("dt=2006-01-02"), at.Format("hour=15")),
		name: fmt.Sprintf("%s-%x-%d.parquet", now.UTC().Format("20060102T150405.000000"), id, s.counter),
	}
	if sh.spare = nil; f.rows == nil {
		f.rows = newGroup(sh.Shape)
	}
	return f
}

// end ends a file. One that cannot be written stays open.
func (s *files) end(sh *shape, f *file) error {
	for f.waiting > 0 || f.rows.len() > 0 {
		if err := s.flush(f); err != nil {
			return err
		}
	}
	if err := f.finish(); err != nil {
		s.env.Limited().Error("a file could not be ended; the next run of the daemon will", "file", f.hidden(), "error", err)
	} else if f.written > 0 {
		s.ended.Add(1)
	}
	for hour, open := range sh.open {
		if open == f {
			delete(sh.open, hour)
		}
	}
	if sh.last == f {
		sh.last = nil
	}
	sh.spare = f.rows
	return nil
}

// endAll ends all files.
func (s *files) endAll() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endThose(func(*file) bool { return true })
}

func (s *files) endThose(which func(*file) bool) (err error) {
	for _, sh := range s.shapes {
		for _, f := range sh.open {
			if which(f) {
				err = errors.Join(err, s.end(sh, f))
			}
		}
	}
	return err
}

// tick ends files that are old enough.
func (s *files) tick(now time.Time) {
	if !s.mu.TryLock() {
		return // rows are being added, and it comes again
	}
	defer s.mu.Unlock()
	if err := s.endThose(func(f *file) bool { return now.Sub(f.born) >= s.rotateAge }); err != nil {
		s.env.Limited().Error("files cannot be written; rows wait", "directory", s.dir, "error", err)
	}
}

// Settled returns how many of the Sends, from the first on, have all their rows in files.
func (s *files) Settled() int {
	if !s.mu.TryLock() {
		return s.settled // rows are being added, and it is asked again
	}
	defer s.mu.Unlock()
	s.settled = s.sends
	for _, sh := range s.shapes {
		for _, f := range sh.open {
			if f.rows.len() > 0 {
				s.settled = min(s.settled, f.since-1)
			}
			if f.waiting > 0 {
				s.settled = min(s.settled, f.waitsSince-1)
			}
		}
	}
	return s.settled
}

// giveUp counts the rows that no file has taken at the end of the daemon.
func (s *files) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.endThose(func(*file) bool { return true }); err != nil {
		s.env.Log.Error("files cannot be ended; rows are lost", "directory", s.dir, "error", err)
	}
	for _, sh := range s.shapes {
		for _, f := range sh.open {
			n := f.waiting + f.rows.len()
			s.lost.Add(n)
			s.env.Stats.Held.Add(-n)
			if err := f.finish(); err != nil {
				s.env.Log.Error("a file could not be ended; the next run of the daemon will", "file", f.hidden(), "error", err)
			}
		}
		clear(sh.open)
		sh.last = nil
	}
}
