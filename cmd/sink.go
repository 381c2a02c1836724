// Where log lines go: a stream, a file, syslog.

package cmd

import (
	"errors"
	"fmt"
	"io"
	"log/syslog"
	"os"
	"slices"
	"syscall"

	"ulogd/engine/safefile"
)

// openLog sends the log to where the configuration says. Until the daemon is ready, errors are seen on standard error too: whoever starts it is to learn why
// it does not run.
func (p *process) openLog() error {
	g := &p.plan.Global
	p.journal.min.Store(int64(p.level(g.LogLevel)))
	screen := &stream{w: p.stderr}
	target := g.LogFile
	if target == "" && p.opts.daemon {
		target = "syslog"
	}
	seen := target == "" // everything is on standard error anyway
	var to sink
	switch target {
	case "":
		to = screen
	case "stdout":
		to = &stream{w: os.Stdout}
	case "syslog":
		s := &system{screen: screen}
		seen = !s.connect()
		to = s
	default:
		f, err := openLogFile(target)
		if err != nil {
			return &logFileError{target, err}
		}
		p.logFile, to = f, f
	}
	p.sinks = []*queue{newQueue(to)}
	first := p.sinks
	switch {
	case seen:
	case p.opts.verbose && !p.opts.daemon:
		p.sinks = append(p.sinks, newQueue(screen))
		first = p.sinks
	default:
		first = append(slices.Clip(p.sinks), newQueue(&stream{w: p.stderr, least: 7}))
	}
	if g.HTTP.Address != "" {
		last := newQueue(&p.tail)
		p.sinks, first = append(p.sinks, last), append(slices.Clip(first), last)
	}
	p.journal.to(first...)
	p.log.Info("ulogd Version " + Version() + " (re-)starting")
	if p.opts.verbose && p.opts.daemon {
		p.log.Error("-v has no effect with -d: in the background there is no standard error")
	}
	return nil
}

// logFileError has an exit code of its own.
type logFileError struct {
	path string
	err  error
}

func (e *logFileError) Error() string {
	return fmt.Sprintf("can't open logfile '%s': %v", e.path, e.err)
}

func (e *logFileError) Unwrap() error { return e.err }

// reopenLog opens the log file anew once what was said before is in the old one.
func (p *process) reopenLog() {
	if p.logFile == nil {
		return
	}
	reopen := func() {
		if err := p.logFile.reopen(); err != nil {
			p.log.Error("cannot open the log file anew; the old one stays in use", "error", err)
		}
	}
	if !p.sinks[0].then(reopen) {
		p.log.Error("the log file is not opened anew: it does not take what it is to write")
	}
}

// sink takes finished log lines, one at a time.
type sink interface {
	write(e entry) error
}

// stream writes lines to standard error or output.
type stream struct {
	w     io.Writer
	least int // level
	gone  bool
}

// write goes on without a reader that has gone: a log is no reason to end.
func (s *stream) write(e entry) error {
	if e.level < s.least || s.gone {
		return nil
	}
	_, err := io.WriteString(s.w, e.line)
	if errors.Is(err, syscall.EPIPE) {
		s.gone = true
		return nil
	}
	return err
}

// logFile appends to a file and can be told that it was rotated. Its queue alone uses it.
type logFile struct {
	path string
	f    *os.File
}

func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.reopen()
}

// reopen opens the path anew; if that fails the old file stays in use. A FIFO's reader may come later: lines wait for it
// in the queue, not the daemon.
func (l *logFile) reopen() error {
	const flags = os.O_APPEND | os.O_CREATE | syscall.O_NONBLOCK
	f, err := safefile.Open(l.path, flags|os.O_WRONLY, 0o644, safefile.User)
	if errors.Is(err, syscall.ENXIO) {
		f, err = safefile.Open(l.path, flags|os.O_RDWR, 0o644, safefile.User)
	}
	if err != nil {
		return err
	}
	old := l.f
	l.f = f
	if old != nil {
		return old.Close()
	}
	return nil
}

func (l *logFile) write(e entry) error {
	_, err := io.WriteString(l.f, e.line)
	return err
}

// system writes to syslog, facility daemon, text only. Lines go to standard error while no syslog answers: a machine
// without one is no reason not to run, for ulogd2 neither.
type system struct {
	w      *syslog.Writer
	screen *stream
}

// connect looks for a syslog, unless one was found before.
func (s *system) connect() bool {
	if s.w == nil {
		s.w, _ = syslog.New(syslog.LOG_DAEMON|syslog.LOG_NOTICE, "ulogd")
	}
	return s.w != nil
}

func (s *system) write(e entry) error {
	if !s.connect() || s.send(e.level, e.text) != nil {
		return s.screen.write(e)
	}
	return nil
}

func (s *system) send(level int, text string) error {
	switch level {
	case 1:
		return s.w.Debug(text)
	case 3:
		return s.w.Info(text)
	case 5:
		return s.w.Notice(text)
	case 7:
		return s.w.Err(text)
	}
	return s.w.Crit(text)
}
