// Where log lines go: a stream, a file, syslog.

package cmd

import (
	"cmp"
	"fmt"
	"io"
	"log/syslog"
	"os"
	"slices"
	"sync"
)

// openLog sends the log to where the configuration says. Until the daemon is ready, errors are seen on standard error too: whoever starts it is to learn why
// it does not run.
func (p *process) openLog() error {
	g := &p.plan.Global
	p.journal.min.Store(int64(cmp.Or(int(p.opts.loglevel), g.LogLevel)))
	screen := &stream{w: p.stderr}
	target := g.LogFile
	if target == "" && p.opts.daemon {
		target = "syslog"
	}
	seen := target == "" // everything is on standard error anyway
	switch target {
	case "":
		p.sinks = []sink{screen}
	case "stdout":
		p.sinks = []sink{&stream{w: os.Stdout}}
	case "syslog":
		s := &system{screen: screen}
		seen = !s.connect()
		p.sinks = []sink{s}
	default:
		var err error
		if p.logFile, err = openLogFile(target); err != nil {
			return &logFileError{target, err}
		}
		p.sinks = []sink{p.logFile}
	}
	first := p.sinks
	switch {
	case seen:
	case p.opts.verbose && !p.opts.daemon:
		p.sinks = append(p.sinks, screen)
		first = p.sinks
	default:
		first = append(slices.Clip(p.sinks), &stream{w: p.stderr, least: 7})
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

// sink takes finished log lines; text is the line without time, level and place.
type sink interface {
	write(level int, line, text string)
}

// stream writes lines to standard error or output.
type stream struct {
	mu    sync.Mutex
	w     io.Writer
	least int // level
}

func (s *stream) write(level int, line, _ string) {
	if level < s.least {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	io.WriteString(s.w, line)
}

// logFile appends to a file and can be told that it was rotated.
type logFile struct {
	path string
	mu   sync.Mutex
	f    *os.File
}

func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.reopen()
}

// reopen opens the path anew; if that fails the old file stays in use.
func (l *logFile) reopen() error {
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	l.mu.Lock()
	old := l.f
	l.f = f
	l.mu.Unlock()
	if old != nil {
		return old.Close()
	}
	return nil
}

func (l *logFile) write(_ int, line, _ string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	io.WriteString(l.f, line)
}

// system writes to syslog, facility daemon, text only. Lines go to standard error while no syslog answers: a machine without one is no
// reason not to run, for ulogd2 neither.
type system struct {
	mu     sync.Mutex
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

func (s *system) write(level int, line, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.connect() || s.send(level, text) != nil {
		s.screen.write(level, line, text)
	}
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
