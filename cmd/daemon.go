package cmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/stacks"
)

// process is the running daemon.
type process struct {
	opts    *options
	level   slog.LevelVar
	log     *slog.Logger
	logFile *logFile
	pid     *pidFile
	plan    *stacks.Plan
	control *control
}

// daemon runs the stacks of the configuration until their inputs end or a signal comes.
func daemon(o *options, stderr io.Writer) int {
	if o.daemon && !inBackground() {
		return background(stderr)
	}
	p := &process{opts: o}
	setLevel(&p.level, orDefault(o.loglevel, 5))
	p.log = slog.New(&logger{min: &p.level, sinks: []sink{&stream{w: stderr}}})
	defer p.cleanUp()
	if code := p.start(stderr); code != exitOK {
		return code
	}
	return p.run()
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

// start brings everything to where records can flow.
func (p *process) start(stderr io.Writer) int {
	var who *account
	if p.opts.user != "" {
		var err error
		if who, err = findUser(p.opts.user); err != nil {
			return p.fatal(err)
		}
	}
	if p.opts.pidfile != "" {
		var err error
		if p.pid, err = lockPidFile(p.opts.pidfile); err != nil {
			return p.fatal(err)
		}
	}
	path := p.opts.config
	if p.opts.daemon {
		// Files in the configuration are relative to / behind -d, as with ulogd2; that of -c is where the operator is.
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		if err := os.Chdir("/"); err != nil {
			return p.fatal(err)
		}
	}
	if code := p.configure(path, stderr); code != exitOK {
		return code
	}
	m := p.plan.Machine
	if err := m.Open(); err != nil {
		return p.fatal(err)
	}
	if path := p.plan.Global.Control; path != "" {
		var err error
		if p.control, err = listen(path, m, p.log); err != nil {
			return p.fatal(err)
		}
	}
	if who != nil {
		if p.control != nil {
			if err := os.Chown(p.plan.Global.Control, who.uid, who.gid); err != nil {
				return p.fatal(err)
			}
		}
		if err := who.become(); err != nil {
			return p.fatal(fmt.Errorf("-u %s: %w", p.opts.user, err))
		}
	}
	if inBackground() {
		if err := ready(); err != nil {
			return p.fatal(err)
		}
	}
	return exitOK
}

// configure reads the configuration and builds the machine. In a ulogd.conf, stacks that do not work are left out if others do.
func (p *process) configure(path string, stderr io.Writer) int {
	file, problems := conf.Load(path)
	plan, more := stacks.Build(file, &engine.Default, p.log)
	problems = append(problems, more...)
	problems.Sort()
	p.plan = plan
	code := p.openLog(stderr)
	if code != exitOK {
		return code
	}
	// The machine logs to where the configuration says.
	if len(plan.Stacks) > 0 {
		plan, _ = stacks.Build(file, &engine.Default, p.log)
		p.plan = plan
	}
	p.log.Info("ulogd Version " + Version() + " (re-)starting")
	for _, problem := range problems {
		if problem.Warning {
			p.log.Warn(problem.Error())
		} else {
			p.log.Error(problem.Error())
		}
	}
	bad := len(problems.Errors())
	if bad > 0 && (file.Grammar == conf.TOML || len(plan.Stacks) == 0) {
		return p.fatal(fmt.Errorf("%s: %s; nothing was started", path, count(bad, "error")))
	}
	return exitOK
}

// openLog sends the log to where logfile= says.
func (p *process) openLog(stderr io.Writer) int {
	g := &p.plan.Global
	setLevel(&p.level, orDefault(p.opts.loglevel, g.LogLevel))
	target := g.LogFile
	if target == "" && p.opts.daemon {
		target = "syslog"
	}
	var sinks []sink
	switch target {
	case "":
		sinks = append(sinks, &stream{w: stderr})
	case "stdout":
		sinks = append(sinks, &stream{w: os.Stdout})
	case "syslog":
		w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_NOTICE, "ulogd")
		if err != nil {
			p.log.Warn("no syslog; logging to standard error", "error", err)
			sinks = append(sinks, &stream{w: stderr})
		} else {
			sinks = append(sinks, system{w})
		}
	default:
		f, err := openLogFile(target)
		if err != nil {
			fmt.Fprintf(stderr, "ERROR: can't open logfile '%s': %v\n", target, err)
			return exitLogFile
		}
		p.logFile = f
		sinks = append(sinks, f)
	}
	if p.opts.verbose && target != "" && !p.opts.daemon {
		sinks = append(sinks, &stream{w: stderr})
	}
	p.log = slog.New(&logger{min: &p.level, sinks: sinks})
	return exitOK
}

// fatal logs what keeps the daemon from running.
func (p *process) fatal(err error) int {
	p.log.Log(context.Background(), LevelFatal, err.Error())
	return exitError
}

// run lets the records flow until all inputs have ended or a signal stops them.
func (p *process) run() int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM)
	m := p.plan.Machine
	began := time.Now()
	m.Start()
	p.log.Info("initialization finished, entering main loop")
	stopped := false
	done := make(chan error, 1)
	go func() { done <- m.Wait() }()
	for {
		select {
		case s := <-signals:
			switch s {
			case syscall.SIGTERM, syscall.SIGINT:
				if stopped {
					p.log.Error("second signal: ending at once, what was not yet out is lost")
					p.summary(time.Since(began))
					return exitError
				}
				p.log.Warn("Terminal signal received, exiting")
				stopped = true
				m.Stop(p.plan.Global.ShutdownTimeout)
			default:
				p.log.Warn("signal received, calling pluginstances", "signal", s.String())
				p.pass(s, m)
			}
		case err := <-done:
			return p.end(err, stopped, time.Since(began))
		}
	}
}

func (p *process) pass(s os.Signal, m *engine.Machine) {
	switch s {
	case syscall.SIGHUP:
		if p.logFile != nil {
			if err := p.logFile.reopen(); err != nil {
				p.log.Error("cannot open the log file anew; the old one stays in use", "error", err)
			}
		}
		m.Signal(engine.Reopen)
	case syscall.SIGUSR2:
		m.Signal(engine.Dump)
	}
}

// end says how it went and chooses the exit code.
func (p *process) end(err error, stopped bool, took time.Duration) int {
	dropped := p.summary(took)
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
	if p.pid != nil {
		if err := p.pid.remove(); err != nil {
			p.log.Error("cannot remove the pid file", "error", err)
		}
	}
}
