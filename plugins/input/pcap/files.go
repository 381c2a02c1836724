// Many capture files, one after the other, those that are there or those that come.

package pcap

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/engine/safefile"
)

// files reads capture files one after the other.
type files struct {
	columns *columns
	log     *slog.Logger

	names    []string // still to be read
	all      int
	open     opener
	watch    *watch  // nil: of files that come; the files are those named
	src      *source // the one being read
	file     *file   // nil until its beginning has come
	blocks   *engine.Blocks
	block    *engine.Block
	frames   [engine.BatchSize]frame
	left     []frame // of frames, those not yet in a batch
	newest   int64
	packets  int64
	stopping bool
	progress progress

	badRecord                 *engine.Drop
	read, unreadable, damaged *engine.Counter
}

// openFiles opens the first of the files that the patterns name. A file on disk must then be a
// capture; what comes through a pipe may be late.
func openFiles(patterns []string, columns *columns, env *engine.Env) (reader, error) {
	names, err := expand(patterns)
	if err != nil {
		return nil, err
	}
	f := newFiles(columns, env)
	f.names, f.all = names, len(names)
	f.open = func(name string) (*os.File, error) {
		if slices.Contains(patterns, name) {
			return os.Open(name)
		}
		return safefile.OpenOthers(name) // what a glob matches is for whoever may write the directory
	}
	if err := f.next(); err != nil {
		return nil, err
	}
	return f, nil
}

// openFollowed opens directories or globs to read the files that come.
func openFollowed(s *settings, columns *columns, env *engine.Env) (_ reader, err error) {
	f := newFiles(columns, env)
	f.open = safefile.OpenOthers
	f.read = env.Stats.Counter("files", "capture files that have been read, those that are damaged included")
	if err := s.taken.open(s.state); err != nil {
		return nil, errors.Join(err, s.taken.close())
	}
	if f.watch, err = openWatch(s.patterns, s.place.Wait, &s.taken, env.Log); err != nil {
		return nil, errors.Join(err, s.taken.close())
	}
	env.Log.Info("following", "files", strings.Join(s.patterns, ", "), "read_before", len(s.taken.files))
	return f, nil
}

func newFiles(columns *columns, env *engine.Env) *files {
	f := &files{columns: columns, log: env.Log, blocks: engine.NewBlocks(blockSize), open: os.Open}
	f.block = f.blocks.Get()
	f.badRecord = env.Stats.Drop("bad_record", "records of a capture file that could not be read")
	f.unreadable = env.Stats.Counter("unreadable_files", "files that could not be opened or are no captures")
	f.damaged = env.Stats.Counter("damaged_files", "files that could be read up to some place only")
	return f
}

// next opens the first file that is left.
func (f *files) next() (err error) {
	name := f.names[0]
	f.names = f.names[1:]
	if f.src, err = openSource(name, f.open); err != nil {
		return err
	}
	if f.watch != nil && !f.src.onDisk { // exchanged since it was looked at
		f.leave()
		return fmt.Errorf("read %s: is no regular file", name)
	}
	f.progress.begin(name, f.packets)
	if f.src.onDisk {
		if err := f.begin(); err != nil {
			f.leave()
			return err
		}
	}
	return nil
}

// begin reads the beginning of the file.
func (f *files) begin() error {
	if err := f.src.unwrap(); err != nil {
		return err
	}
	f.renewBlock()
	file, err := newFile(f.src.name, f.src, f.block.Data)
	if err != nil {
		return err
	}
	f.file = file
	return nil
}

// renewBlock takes another block where batches still refer to the present one.
func (f *files) renewBlock() {
	if f.block.Shared() {
		f.block.Release()
		f.block = f.blocks.Get()
	}
}

// Read fills a batch with the packets of the current block, going on to the next block or file when
// it is used up.
func (f *files) Read(b *engine.Batch, deadline time.Time) error {
	for !f.stopping || f.watch != nil && f.src != nil { // a file that comes once is read to its end
		if f.src == nil {
			names, err := f.watch.wait(deadline)
			if len(names) == 0 || err != nil {
				return err
			}
			f.names = names
			if err := f.nextReadable(); err != nil {
				return err
			}
			continue
		}
		if f.file != nil {
			if len(f.left) == 0 {
				f.left = f.frames[:f.file.next(f.frames[:])]
			}
			if len(f.left) > 0 {
				used, newest := f.columns.fill(b, f.block, f.file.ports, f.left)
				f.left = f.left[used:]
				f.newest = max(f.newest, newest)
				f.packets += int64(used)
				if f.src.onDisk || !isNow(newest) {
					b.SetReplay(f.newest)
				}
				return nil
			}
		}
		if ok, err := f.src.ready(deadline); !ok || err != nil {
			return err
		}
		if err := f.advance(b); err != nil {
			return err
		}
	}
	return io.EOF
}

// isNow reports whether the times of a pipe are those of the clock on the wall. What comes through
// it is then as live as an interface, and flows end although it falls silent.
func isNow(t int64) bool {
	const near = int64(10 * time.Second)
	d := time.Now().UnixNano() - t
	return -near < d && d < near
}

// advance goes on to the next block of the file, or to the next file.
func (f *files) advance(b *engine.Batch) error {
	if f.file == nil {
		if err := f.begin(); err != nil {
			f.giveUp(f.src.name, err)
			return f.nextReadable()
		}
		return nil
	}
	f.renewBlock()
	err := f.file.fill(f.block.Data)
	if err == nil {
		return nil
	}
	if !errors.Is(err, io.EOF) {
		f.damaged.Add(1)
		f.log.Warn(err.Error())
	}
	if bad := f.file.bad; bad > 0 {
		f.badRecord.Rows(b, int(bad))
		f.log.Warn("records could not be read", "file", f.src.name, "records", bad)
	}
	if f.watch != nil {
		f.read.Add(1)
		f.done(f.src.name)
	}
	f.leave()
	return f.nextReadable()
}

// done notes that a file has been read, or cannot be.
func (f *files) done(name string) {
	if f.watch == nil {
		return
	}
	if err := f.watch.taken.done(name); err != nil {
		f.log.Error("what has been read cannot be noted, and is read again by the next run", "file", name, "error", err)
	}
}

// nextReadable opens the next file that can be opened. Behind the last it returns io.EOF, or what
// there is to say of those that could not; of files that come there is no last.
func (f *files) nextReadable() error {
	for len(f.names) > 0 && !f.stopping {
		name := f.names[0]
		err := f.next()
		if err == nil {
			return nil
		}
		f.giveUp(name, err)
	}
	if f.watch != nil {
		return nil
	}
	if n := f.unreadable.Load(); n > 0 {
		return fmt.Errorf("%d of %d capture files could not be read", n, f.all)
	}
	return io.EOF
}

// giveUp leaves out a file.
func (f *files) giveUp(name string, err error) {
	f.unreadable.Add(1)
	f.done(name)
	f.log.Error("a capture file is left out", "error", err)
	f.leave()
}

// Tick shows the progress at a terminal.
func (f *files) Tick(now time.Time) {
	if f.src != nil {
		f.progress.show(now, f.packets, f.src)
	}
}

// Stop ends the reading where it is, or behind the file that has come.
func (f *files) Stop() { f.stopping = true }

// Close closes all that is open.
func (f *files) Close() error {
	err := f.leave()
	if f.watch != nil {
		f.watch.close()
		err = errors.Join(err, f.watch.taken.close())
	}
	return err
}

// leave closes the current file.
func (f *files) leave() error {
	f.progress.end()
	if f.src == nil {
		return nil
	}
	err := f.src.Close()
	f.src, f.file = nil, nil
	return err
}
