// Package logfile appends records to a file: a regular one, a FIFO, a terminal or standard output.
//
// Records are gathered in a buffer and written whole, many at a time. A file that cannot take them (full disk, no reader) costs
// records, which are counted and reported at most once a minute, and never leaves half a record behind. SIGHUP opens the path
// anew, as logrotate asks; where that fails the old file stays in use.
//
// An output embeds a [File]: its methods are those that the engine calls. Its Bind must call OwnAccounting, since the file counts what was written,
// what waits in the buffer and what was dropped. Consume then does, with one Begin and one Commit per batch:
//
//	buf := p.Begin()
//	for _, r := range b.Rows() {
//		buf = append(buf, ...)
//		buf = p.End(buf)
//	}
//	p.Commit(buf)
package logfile

import (
	"time"

	"ulogd/engine"
)

// A File is one output's file. The exported fields are settings and must not change once it is open.
type File struct {
	Path   string // "/dev/stdout" is the daemon's own standard output, whatever that is
	Sync   bool   // write at the end of each batch instead of when the buffer is full or a tenth of a second has passed
	Rotate Rotation

	Name     func(now time.Time) string // names each file that is begun; Path is then not used
	Header   func() []byte              // what an empty file begins with
	Sections bool                       // Header also stands in files that have content, and after records were left out
	Footer   string                     // what a file ends with
	Check    func(path string) error    // whether a file that has content may be appended to
	Patient  bool                       // wait for a slow reader: right where the output has a queue, which then decides what is dropped

	env   *engine.Env
	out   target
	head  []byte // what is left to write of the header
	buf   []byte // records that are not written yet
	ends  []int  // where in buf each record ends
	torn  bool   // the beginning of the first record is written already
	limit int    // size of buf from which on it is written
	slow  bool   // the reader is behind
	held  int    // records that the Held counter has
	epoch int

	complained time.Time // when the last error was logged
	troubled   bool      // and the file has not worked since
	silent     int       // records dropped since

	bytes, opened                *engine.Counter
	failed, noReader, slowReader *engine.Drop
}

const (
	// writeAt is how many octets are gathered before they are written: few system calls, and still in the cache.
	writeAt = 64 << 10
	// maxStalled is how much waits for a FIFO's slow reader.
	maxStalled = 1 << 20
	// complainEvery limits error messages about a file that cannot be written.
	complainEvery = time.Minute
)

// Declare declares the options that all files have, under ulogd2's names.
func (f *File) Declare(o *engine.Options, path string) {
	o.String(&f.Path, "file", path, "the file that is appended to; a FIFO and /dev/stdout work too")
	f.DeclareSync(o)
}

// DeclareSync declares the option sync alone.
func (f *File) DeclareSync(o *engine.Options) {
	o.Bool(&f.Sync, "sync", false, "write each batch of records at once; otherwise when 64 KiB have gathered, at the latest after a tenth of a second")
}

// Open opens the file. A FIFO without a reader is no error: it is tried again ten times a second.
func (f *File) Open(env *engine.Env) error {
	f.env = env
	f.bytes = env.Stats.Counter("file_octets", "octets written to files")
	f.opened = env.Stats.Counter("files_opened", "how often a file was opened")
	f.failed = env.Stats.Drop("write_error", "records that the file could not take, such as when the disk was full")
	f.noReader = env.Stats.Drop("no_reader", "records that came while nobody read the FIFO")
	f.slowReader = env.Stats.Drop("slow_reader", "records that came while the FIFO's reader was more than 1 MiB behind")
	t, err := f.openTarget(time.Now())
	if err != nil {
		return err
	}
	f.begin(t)
	return nil
}

// Begin returns the buffer that records are appended to.
func (f *File) Begin() []byte { return f.buf }

// End says that buf ends with a whole record. It returns the buffer to go on with.
func (f *File) End(buf []byte) []byte {
	f.ends = append(f.ends, len(buf))
	if len(buf) < f.limit {
		return buf
	}
	f.buf = buf
	f.write()
	if f.Rotate.full(&f.out) {
		f.rotate(time.Now())
	}
	return f.buf
}

// Commit ends the records of a batch.
func (f *File) Commit(buf []byte) {
	f.buf = buf
	if f.Sync {
		f.write()
	}
	f.settle()
}

// Epoch changes when a file is begun or records were left out: what later records refer to must then be written again.
func (f *File) Epoch() int { return f.epoch }

// Tick writes what has gathered.
func (f *File) Tick(now time.Time) {
	f.write()
	if f.out.fd < 0 {
		f.findReader()
	}
	if r := &f.Rotate; now.After(r.retry) && !r.retry.IsZero() {
		r.retry = time.Time{}
		f.setLimit()
	}
	if f.Rotate.elapsed(now) {
		f.rotate(now)
	}
	f.settle()
}

// Flush writes all records. It waits for a FIFO's slow reader, at most until the shutdown timeout ends.
func (f *File) Flush() {
	f.write()
	for len(f.ends) > 0 {
		if end := f.env.Deadline(); !end.IsZero() && time.Now().After(end) {
			break
		}
		time.Sleep(5 * time.Millisecond)
		f.write()
	}
	f.drop(f.slowReader, 0)
	f.settle()
}

// Signal opens the path anew. When that fails the old file stays in use.
func (f *File) Signal(s engine.Signal) {
	if s != engine.Reopen {
		return
	}
	f.reopen(time.Now())
	f.settle()
}

// Close writes what is left and closes the file.
func (f *File) Close() error {
	if f.env == nil || f.out.fd < 0 {
		return nil
	}
	f.write()
	f.drop(f.slowReader, 0)
	f.settle()
	f.finish()
	return nil
}

// setLimit says up to which size the buffer is filled before it is written.
func (f *File) setLimit() {
	f.limit = writeAt
	if f.slow {
		f.limit = maxStalled
	}
	if r := &f.Rotate; r.Size > 0 && f.out.regular && r.retry.IsZero() {
		f.limit = int(min(int64(f.limit), r.Size-f.out.size))
	}
}

// settle brings the Held counter up to what is in the buffer.
func (f *File) settle() {
	f.env.Stats.Held.Add(len(f.ends) - f.held)
	f.held = len(f.ends)
}
