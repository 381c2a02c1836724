// Files by RFC 5655: which one is written to, from when until when. Each is one transport session
// and can be read alone: its templates come first, its sequence begins at 0.

package ipfix

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/engine/safefile"
	"ulogd/engine/small"
	"ulogd/plugins/output/dial"
	"ulogd/plugins/output/export/collector"
	"ulogd/plugins/output/sink/logfile"
)

const (
	compressByName = "auto"
	compressNot    = "none"
	compressGzip   = "gzip"
	compressZstd   = "zstd"
)

// file is a path that messages are written to. It is the way of a queue, each file a session.
type file struct {
	path     string
	compress string
	rotate   logfile.Rotation

	env            *engine.Env
	octets, opened *engine.Counter

	present *volume
	next    time.Time // when it is put aside for its age
	retry   time.Time // after a failure
	look    bool      // the path may lead to another file now
}

// minFileBuffer is the least room for messages, of which some wait until they are compressed
// together.
const minFileBuffer = 1 << 20

// Patience with files that cannot be opened or written.
const fileRetry = time.Second

func (f *file) options(o *engine.Options) {
	o.String(&f.path, "file", "", "write to this file (RFC 5655) instead of collectors. What is at the path from an earlier run is put aside as NAME-YYYYMMDD-HHMMSS.EXTENSION")
	o.Writes("file")
	o.Enum(&f.compress, "compress", compressByName, []string{compressByName, compressNot, compressGzip, compressZstd}, "how the file is compressed; auto: by its name, .gz or .zst. Compressed records come to the disk within a second")
	f.rotate.Declare(o)
}

// validate checks the options, and that none of those for collectors is set.
func (f *file) validate(o *engine.Options, buffer int64) error {
	if f.path == "" {
		for _, name := range []string{"compress", "rotate_size", "rotate_seconds", "rotate_keep"} {
			if o.Given(name) {
				return fmt.Errorf("%s: is for files alone; set file, or remove it", name)
			}
		}
		return nil
	}
	for _, name := range append(dial.Names(),
		"host", "port", "proto", "mode", "reconnect_interval", "rate", "resolve_interval", "failover_after", "spool",
		"spool_max", "resend_window", "resend_time",
		"tls_cert", "tls_key", "tls_ca", "tls_peer_names", "dtls_renew", "template_refresh", "template_refresh_packets", "template_copies",
	) {
		if o.Given(name) {
			return fmt.Errorf("%s: is for collectors, but file is set; remove one of them, or make it two outputs", name)
		}
	}
	if buffer < minFileBuffer {
		return fmt.Errorf("buffer: must be at least %s for a file, is %s", engine.FormatSize(minFileBuffer), engine.FormatSize(buffer))
	}
	if f.compress == compressByName {
		f.compress = compressNot
		switch {
		case strings.HasSuffix(f.path, ".gz"):
			f.compress = compressGzip
		case strings.HasSuffix(f.path, ".zst"):
			f.compress = compressZstd
		}
	}
	if f.compress != compressNot && small.Build {
		return fmt.Errorf("compress: %w", small.Lacks("compression ("+f.compress+")", "set compress = none"))
	}
	return nil
}

// open begins the first file.
func (f *file) open(env *engine.Env) (err error) {
	signal.Ignore(syscall.SIGXFSZ) // a file-size limit must come back as an error of write(2), not end the process
	f.env = env
	f.octets = env.Stats.Counter("file_octets", "octets written to files")
	f.opened = env.Stats.Counter("files_opened", "how often a file was begun")
	f.present, err = f.begin(time.Now())
	if f.present != nil {
		f.present.fresh = true
	}
	return err
}

// begin opens the path. A file that is there and has content is put aside: what was appended would
// be a second session.
func (f *file) begin(now time.Time) (*volume, error) {
	switch info, err := os.Stat(f.path); {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("open %s: is no regular file", f.path)
	case err == nil && info.Size() > 0:
		if err := logfile.PutAside(f.path, now); err != nil {
			return nil, fmt.Errorf("put aside the file of an earlier run: %w", err)
		}
	}
	fd, err := safefile.Open(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666, safefile.User)
	if err != nil {
		return nil, err
	}
	f.opened.Add(1)
	f.next = now.Add(f.rotate.Every)
	return newVolume(f, fd), nil
}

// Name implements collector.Way.
func (f *file) Name() string { return f.path }

// Poll implements collector.Way. It begins a file when there is none, or when the present one is
// full, old or moved away; all that was taken is on the disk before that.
func (f *file) Poll(now time.Time) (collector.Session, bool) {
	switch {
	case f.present == nil:
		f.replace(now)
	case f.present.cut():
		f.cut(now)
	case f.present.fresh:
	case f.look:
		f.look = false
		if f.moved() {
			f.replace(now)
		}
	case f.over(now):
		f.putAside(now)
	}
	if f.present == nil {
		return nil, false
	}
	fresh := f.present.fresh
	f.present.fresh = false
	return f.present, fresh
}

// cut begins the file again after logrotate's copytruncate. What has not been written goes into the
// new session: behind the cut it would be without its templates.
func (f *file) cut(now time.Time) {
	if now.Before(f.retry) {
		return
	}
	v, err := f.begin(now)
	if err != nil {
		f.fail(now, "cannot open the file, which was cut; records wait in the buffer", err)
		return
	}
	f.env.Log.Info("the file was cut; it is begun again", "file", f.path)
	v.fresh = true
	f.present = v
}

// moved reports whether the path leads elsewhere than to the present file.
func (f *file) moved() bool {
	there, err := os.Stat(f.path)
	if err != nil {
		return true
	}
	ours, err := f.present.fd.Stat()
	return err == nil && !os.SameFile(there, ours)
}

// over reports whether the present file is to be put aside.
func (f *file) over(now time.Time) bool {
	if f.rotate.Every > 0 && !now.Before(f.next) {
		if !f.present.empty() {
			return true
		}
		f.next = now.Add(f.rotate.Every)
	}
	return f.present.refused
}

// putAside ends the present file and begins another.
func (f *file) putAside(now time.Time) {
	if now.Before(f.retry) || !f.present.write() {
		return
	}
	if err := logfile.PutAside(f.path, now); err != nil {
		f.fail(now, "cannot put the file aside; records wait in the buffer", err)
		return
	}
	f.replace(now)
	if err := f.rotate.RemoveOld(f.path, now); err != nil {
		f.complain("cannot remove an old file", err)
	}
}

// replace begins another file. The queue closes the present one.
func (f *file) replace(now time.Time) {
	if now.Before(f.retry) || f.present != nil && !f.present.write() {
		return
	}
	v, err := f.begin(now)
	if err != nil {
		f.look = f.present != nil
		f.fail(now, "cannot open the file; records wait in the buffer", err)
		return
	}
	v.fresh = true
	f.present = v
}

// fail complains, and has the next attempt wait.
func (f *file) fail(now time.Time, text string, err error) {
	f.retry = now.Add(fileRetry)
	f.complain(text, err)
}

// complain logs an error, at most once a minute.
func (f *file) complain(text string, err error) {
	f.env.Limited().Error(text, "file", f.path, "error", err)
}

// recovered logs that a file which was complained of works.
func (f *file) recovered() {
	if log := f.env.Limited(); log.Lasting() {
		log.Over("the file works again", "file", f.path, "kept", f.env.Stats.Held.Load())
	}
}

// reopen has Poll look whether the path leads to another file, as logrotate asks.
func (f *file) reopen() { f.look = true }

// Better implements collector.Way.
func (f *file) Better(time.Time) {}

// Dialing implements collector.Way.
func (f *file) Dialing() bool { return false }

// Failing implements collector.Way: the file complains itself.
func (f *file) Failing() bool { return false }

// Due implements collector.Way.
func (f *file) Due() time.Time { return f.retry }

// Break implements collector.Way: what comes next goes into a file of its own.
func (f *file) Break(err error) {
	f.fail(time.Now(), "cannot write the file", err)
	if err := f.Close(); err != nil {
		f.complain("cannot close the file", err)
	}
}

// Reset implements collector.Way.
func (f *file) Reset() { f.reopen() }

// Close implements collector.Way.
func (f *file) Close() error {
	if f.present == nil {
		return nil
	}
	err := f.present.Close()
	f.present = nil
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// doctor finds what will keep the file from being written.
func (f *file) doctor(d *engine.DoctorReport) { doctor.Writable(d, f.path) }
