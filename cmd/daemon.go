// The daemon from its start to its end.

package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/engine/safefile"
	"ulogd/engine/zone"
	"ulogd/stacks"
)

// process is the running daemon.
type process struct {
	opts    *options
	stderr  io.Writer
	journal *journal
	sinks   []*queue // of the journal, once everything is open
	log     *slog.Logger
	logFile *logFile
	pid     *pidFile
	plan    *stacks.Plan
	file    *conf.File // that the plan was made of
	control *control
	web     *httpServer
	tail    tail                     // of the log, for the page
	missing atomic.Pointer[[]string] // stacks of the file that do not run
	signals signals
	notify  *notifier
	sandbox *sandbox

	config    string       // the file's path, absolute
	timeout   atomic.Int64 // shutdown_timeout, which a reload may change
	reloading sync.Mutex
}

// daemon runs the stacks of the configuration until their inputs end or a signal comes.
func daemon(o *options, stderr io.Writer) int {
	if o.daemon && !inBackground() {
		return background(stderr)
	}
	signal.Ignore(syscall.SIGPIPE) // Go would end the daemon when who reads its standard error has gone
	p := &process{opts: o, stderr: stderr, journal: &journal{}, signals: newSignals()}
	p.signals.listen() // before anybody can know the daemon, by its pid file or its connections: none ends it unheard
	p.journal.min.Store(int64(p.level(5)))
	p.journal.to(newQueue(&stream{w: stderr}))
	p.log = slog.New(&logger{journal: p.journal})
	p.notify = newNotifier(p.log)
	defer p.cleanUp()
	p.readZone()
	started := p.signals.starting(func() {
		p.log.Error("second signal before the stacks run: ending at once")
		p.journal.flush()
		os.Exit(exitError)
	})
	err := p.start()
	started()
	if err != nil {
		p.log.Log(context.Background(), LevelFatal, err.Error())
		if _, ok := errors.AsType[*logFileError](err); ok {
			return exitLogFile
		}
		return exitError
	}
	return p.run()
}

// start brings everything to where records can flow.
func (p *process) start() (err error) {
	var who *account
	if p.opts.user != "" {
		if who, err = findUser(p.opts.user); err != nil {
			return err
		}
	}
	if who != nil {
		safefile.GiveTo(who.uid, who.gid)
	}
	config, err := p.settle()
	if err != nil {
		return err
	}
	path := config
	if p.opts.adhoc != nil {
		path = commandLine
	}
	file, err := p.configure(path)
	if err != nil {
		return err
	}
	if path := p.plan.Global.Control; path != "" {
		if p.control, err = listen(path, p.log); err != nil {
			return err
		}
	}
	p.file = file
	if err := p.listenHTTP(); err != nil {
		return err
	}
	if err := p.open(file); err != nil {
		return err
	}
	if p.control == nil && !p.plan.Global.ControlSet && p.plan.Machine.Endless() &&
		(p.opts.adhoc == nil || p.opts.adhoc.control) {
		p.control = listenAnyway(who, p.log)
	}
	if p.control != nil {
		p.control.about = daemonInfo{PID: os.Getpid(), Config: absolute(path), Since: time.Now(), Version: Version()}
	}
	if who != nil {
		if err := p.change(who); err != nil {
			return fmt.Errorf("-u %s: %w", p.opts.user, err)
		}
	}
	if err := p.confine(); err != nil {
		return err
	}
	p.journal.to(p.sinks...)
	if inBackground() {
		p.journal.flush() // what is for standard error, which ends now
		return ready()
	}
	return nil
}

// absolute is a path as others see it.
func absolute(path string) string {
	if path == commandLine {
		return path
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// settle takes the pid file and, behind -d, goes to /, where files of the configuration are then relative to, as with ulogd2. Paths of the
// command line are relative to where the operator is.
func (p *process) settle() (config string, err error) {
	if config, err = filepath.Abs(p.opts.config); err != nil || !p.opts.daemon {
		config = p.opts.config
	}
	if p.opts.pidfile != "" {
		if p.pid, err = lockPidFile(p.opts.pidfile, p.log); err != nil {
			return "", err
		}
	}
	if p.opts.daemon {
		return config, os.Chdir("/")
	}
	return config, nil
}

// change gives up root.
func (p *process) change(who *account) error {
	if p.control != nil {
		if err := p.control.give(who.uid, who.gid); err != nil {
			return fmt.Errorf("control socket: %w", err)
		}
	}
	if p.web != nil {
		if err := p.web.Give(who.uid, who.gid); err != nil {
			return fmt.Errorf("http: %w", err)
		}
	}
	return who.become(needed(p.plan.Machine))
}

// open opens what the stacks need. In a ulogd.conf, stacks that cannot be opened are left out if others can.
func (p *process) open(file *conf.File) error {
	for {
		err := p.plan.Machine.Open()
		failed, ok := errors.AsType[*engine.OpenError](err)
		if !ok || file.Grammar == conf.TOML {
			return err
		}
		var left []conf.Stack
		file, p.plan, left = stacks.Without(file, &engine.Default, p.log, failed.Instance)
		if len(p.plan.Stacks) == 0 {
			return err
		}
		for _, st := range left {
			p.log.Error(fmt.Sprintf("%s: stack: %s is left out: %v", st.Pos, st.Text, err))
		}
		if len(left) == 0 {
			return err
		}
	}
}

// configure reads the configuration and builds the machine. In a ulogd.conf, stacks that do not work are left out if
// others do.
func (p *process) configure(path string) (*conf.File, error) {
	if abs, err := filepath.Abs(path); err == nil {
		p.config = abs
	}
	file, problems := p.load(path)
	plan, more := stacks.Build(file, &engine.Default, p.log)
	p.plan = plan
	if err := p.openLog(); err != nil {
		return nil, err
	}
	problems = append(problems, more...)
	problems.Sort()
	for _, problem := range problems {
		if problem.Warning {
			p.log.Warn(problem.Error())
		} else {
			p.log.Error(problem.Error())
		}
	}
	bad := len(problems.Errors())
	if bad > 0 && (file.Grammar == conf.TOML || len(plan.Stacks) == 0) {
		return nil, fmt.Errorf("%s: %s; nothing was started", path, count(bad, "error"))
	}
	return file, nil
}

// load reads the configuration, or takes that of the command line.
func (p *process) load(path string) (*conf.File, conf.Problems) {
	if a := p.opts.adhoc; a != nil {
		return a.file, nil
	}
	return conf.Load(path)
}

// level is the least level that is logged, where the configuration says one or none (0).
func (p *process) level(configured int) int {
	if p.opts.adhoc != nil && p.opts.verbose {
		configured = 3
	}
	return cmp.Or(int(p.opts.loglevel), configured)
}

// run lets the records flow until all inputs have ended or a signal stops them.
func (p *process) run() int {
	m := p.plan.Machine
	began := time.Now()
	m.Start()
	p.timeout.Store(int64(p.plan.Global.ShutdownTimeout))
	p.notify.stacks.Store(int64(len(p.plan.Stacks)))
	if p.control != nil {
		p.control.again = p.reload
		go p.control.serve(m)
	}
	p.serveHTTP(m)
	p.log.Info("initialization finished, entering main loop")
	p.tellRunning()
	p.notify.ready()
	var stopped time.Time // zero while running
	done := make(chan error, 1)
	go func() { done <- m.Wait() }()
	for {
		select {
		case <-p.signals.end:
			switch {
			case stopped.IsZero():
				p.inform("Terminal signal received, exiting")
				stopped = time.Now()
				p.notify.stopping()
				m.Stop(time.Duration(p.timeout.Load()))
			case time.Since(stopped) < secondSignal:
				p.log.Info("a second signal so soon is taken for the same")
			default:
				p.log.Error("second signal: ending at once; what was not out yet is lost")
				p.summary(time.Since(began))
				return exitError
			}
		case s := <-p.signals.other:
			p.log.Warn("signal received, calling pluginstances", "signal", s.String())
			p.pass(s, m)
		case <-p.notify.hungry:
			p.notify.alive(m)
		case err := <-done:
			p.notify.stopping()
			return p.end(err, !stopped.IsZero(), time.Since(began))
		}
	}
}

// readZone reads the time zone anew: it may have been changed, and TZ may be no time zone.
func (p *process) readZone() {
	if err := zone.Reload(); err != nil {
		p.log.Warn("the time zone cannot be read; times are written in that of before, at the start in UTC", "error", err)
	}
}

// pass tells the plugins, and the log, of a signal.
func (p *process) pass(s os.Signal, m *engine.Machine) {
	switch s {
	case syscall.SIGHUP:
		p.notify.reloading()
		defer p.notify.ready()
		p.readZone()
		p.reopenLog()
		if p.web != nil {
			p.web.Reload()
		}
		m.Signal(engine.Reopen)
	case syscall.SIGUSR2:
		m.Signal(engine.Dump)
	}
}

// inform logs at the default level what happens in every run of a daemon. A stack of the command line does without.
func (p *process) inform(text string, args ...any) {
	level := slog.LevelWarn
	if p.opts.adhoc != nil {
		level = slog.LevelInfo
	}
	p.log.Log(context.Background(), level, text, args...)
}

// tellRunning says that all is well to whoever has asked to see it.
func (p *process) tellRunning() {
	if !p.opts.verbose || p.opts.adhoc != nil {
		return
	}
	args := []any{"stacks", p.notify.stacks.Load()}
	if p.control != nil {
		args = append(args, "control", p.control.path)
	}
	p.log.Warn("all is open, the stacks run", args...)
}

// end says how it went and chooses the exit code.
func (p *process) end(err error, stopped bool, took time.Duration) int {
	dropped := p.summary(took)
	if p.opts.adhoc != nil {
		p.journal.flush()
		fmt.Fprintln(p.stderr, lastLine(p.plan.Machine.Snapshot(), took))
	}
	switch {
	case err != nil:
		p.log.Error(err.Error())
		return exitError
	case !stopped && dropped > 0:
		p.log.Error("the inputs ended, but records were dropped", "dropped", dropped)
		return exitDropped
	}
	return exitOK
}

func (p *process) cleanUp() {
	if p.control != nil {
		p.control.close()
	}
	if p.web != nil {
		p.web.Close()
	}
	if p.pid != nil {
		if err := p.pid.remove(); err != nil {
			p.log.Error("cannot remove the pid file; it is empty now", "error", err)
		}
	}
	p.journal.flush()
}
