// Many capture files, one after the other.

package pcap

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"ulogd/engine"
)

// files reads capture files one after the other.
type files struct {
	columns *columns
	log     *slog.Logger

	names    []string // still to be read
	all      int
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

	badRecord           *engine.Drop
	unreadable, damaged *engine.Counter
}

// openFiles opens the first of the files that the patterns name. A file on disk must then be a
// capture; what comes through a pipe may be late.
func openFiles(patterns []string, columns *columns, env *engine.Env) (reader, error) {
	names, err := expand(patterns)
	if err != nil {
		return nil, err
	}
	f := &files{columns: columns, log: env.Log, names: names, all: len(names), blocks: engine.NewBlocks(blockSize)}
	f.block = f.blocks.Get()
	f.badRecord = env.Stats.Drop("bad_record", "records of a capture file that could not be read")
	f.unreadable = env.Stats.Counter("unreadable_files", "files that could not be opened or are no captures")
	f.damaged = env.Stats.Counter("damaged_files", "files that could be read up to some place only")
	if err := f.next(); err != nil {
		return nil, err
	}
	return f, nil
}

// next opens the first file that is left.
func (f *files) next() (err error) {
	name := f.names[0]
	f.names = f.names[1:]
	if f.src, err = openSource(name); err != nil {
		return err
	}
	f.progress.begin(name, f.packets)
	if f.src.onDisk {
		if err := f.begin(); err != nil {
			f.Close()
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
	for !f.stopping {
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
			f.giveUp(err)
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
	f.Close()
	return f.nextReadable()
}

// nextReadable opens the next file that can be opened. Behind the last it returns io.EOF, or what
// there is to say of those that could not.
func (f *files) nextReadable() error {
	for len(f.names) > 0 {
		err := f.next()
		if err == nil {
			return nil
		}
		f.giveUp(err)
	}
	if n := f.unreadable.Load(); n > 0 {
		return fmt.Errorf("%d of %d capture files could not be read", n, f.all)
	}
	return io.EOF
}

// giveUp leaves out a file.
func (f *files) giveUp(err error) {
	f.unreadable.Add(1)
	f.log.Error("a capture file is left out", "error", err)
	f.Close()
}

// Tick shows the progress at a terminal.
func (f *files) Tick(now time.Time) {
	if f.src != nil {
		f.progress.show(now, f.packets, f.src)
	}
}

// Stop ends the reading where it is.
func (f *files) Stop() { f.stopping = true }

// Close closes the current file.
func (f *files) Close() error {
	f.progress.end()
	if f.src == nil {
		return nil
	}
	err := f.src.Close()
	f.src, f.file = nil, nil
	return err
}
