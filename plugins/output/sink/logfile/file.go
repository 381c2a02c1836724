// Package logfile appends records to a file: a regular one, a FIFO, a terminal or standard output.
//
// Records are gathered in a buffer and written whole, many at a time. A file that cannot take them
// (full disk, no reader) costs records, which are counted and reported at most once a minute, and
// never leaves half a record behind. SIGHUP opens the path anew, as logrotate asks; where that
// fails the old file stays in use.
//
// A [File] is a target of package sink.
package logfile

import (
	"cmp"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/sink"
)

// A File is one output's file. The exported fields are settings and must not change once it is
// open.
type File struct {
	Path   string // "/dev/stdout" is the daemon's own standard output, whatever that is
	Sync   bool   // write at the end of each batch instead of when the buffer is full or a tenth of a second has passed
	Rotate Rotation

	Name     func(now time.Time) string // names each file that is begun; Path is then not used
	Header   func() []byte              // what an empty file begins with
	Sections bool                       // Header also stands in files that have content, and after records were left out
	Footer   string                     // what a file ends with
	Check    func(path string) error    // whether a file that has content may be appended to

	b       *sink.Buffer
	out     target
	head    []byte // what is left to write of the header
	torn    bool   // the beginning of the first record is written already
	slow    bool   // the reader is behind
	trouble sink.Trouble
	looked  time.Time // when the file was last looked at

	bytes, opened                *engine.Counter
	failed, noReader, slowReader *engine.Drop
}

const (
	// writeAt is how many octets are gathered before they are written: few system calls, and still
	// in the cache.
	writeAt = 64 << 10
	// maxStalled is how much waits for a FIFO's slow reader.
	maxStalled = 1 << 20
	// retryEvery is how long a rotation that failed waits.
	retryEvery = time.Minute
)

// Declare declares the options that all files have, under ulogd2's names.
func (f *File) Declare(o *engine.Options, path string) {
	o.String(&f.Path, "file", path, "the file that is appended to; a FIFO and /dev/stdout work too")
	o.Writes("file")
	f.DeclareSync(o)
}

// DeclareSync declares the option sync alone.
func (f *File) DeclareSync(o *engine.Options) {
	o.Bool(&f.Sync, "sync", false, "write each batch of records at once; otherwise when 64 KiB have gathered, at the latest after a tenth of a second")
}

// Open opens the file. A FIFO without a reader is no error: it is tried again ten times a second.
func (f *File) Open(b *sink.Buffer) error {
	f.b = b
	b.Prompt = f.Sync
	stats := b.Env.Stats
	f.bytes = stats.Counter("file_octets", "octets written to files")
	f.opened = stats.Counter("files_opened", "how often a file was opened")
	f.failed = stats.Drop("write_error", "records that the file could not take, such as when the disk was full")
	f.noReader = stats.Drop("no_reader", "records that came while nobody read the FIFO")
	f.slowReader = stats.Drop("slow_reader", "records that came while the FIFO's reader was more than 1 MiB behind")
	f.trouble = sink.Trouble{Env: b.Env, What: "file", Peer: stats.Peer(cmp.Or(f.Path, "file"))}
	f.out.fd = -1
	t, err := f.openTarget(time.Now())
	if err != nil {
		return err
	}
	f.begin(t)
	return nil
}

// Write writes what has gathered, and puts the file aside where it has become too large.
func (f *File) Write() {
	f.write()
	if f.Rotate.full(&f.out) {
		f.rotate(time.Now())
	}
}

// Tick writes what has gathered.
func (f *File) Tick(now time.Time) {
	f.look(now)
	f.write()
	if f.out.fd < 0 {
		f.findReader()
	}
	f.trouble.Tick(now)
	if r := &f.Rotate; now.After(r.retry) && !r.retry.IsZero() {
		r.retry = time.Time{}
		f.setLimit()
	}
	if f.Rotate.elapsed(now) {
		f.rotate(now)
	}
}

// Flush writes all records. It waits for a FIFO's slow reader, at most until the shutdown timeout
// ends.
func (f *File) Flush() {
	f.write()
	for f.b.Len() > 0 {
		if end := f.b.Env.Deadline(); !end.IsZero() && time.Now().After(end) {
			break
		}
		f.b.Env.Waits()
		time.Sleep(5 * time.Millisecond)
		f.write()
	}
	f.drop(f.slowReader, 0)
}

// Reopen opens the path anew. When that fails the old file stays in use.
func (f *File) Reopen() { f.reopen(time.Now()) }

// Close writes what is left and closes the file.
func (f *File) Close() error {
	if f.b == nil || f.out.fd < 0 {
		return nil
	}
	f.write()
	f.drop(f.slowReader, 0)
	f.finish()
	return nil
}

// setLimit says up to which size the buffer is filled before it is written.
func (f *File) setLimit() {
	f.b.Limit = writeAt
	if f.slow {
		f.b.Limit = maxStalled
	}
	if r := &f.Rotate; r.Size > 0 && f.out.regular && r.retry.IsZero() {
		f.b.Limit = int(min(int64(f.b.Limit), r.Size-f.out.size))
	}
}
