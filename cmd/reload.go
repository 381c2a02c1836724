// `ulogd reload`: the daemon reads its file again, from both ends.

package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/stacks"
)

func reloadCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "reload",
		Short: "have the running daemon read its configuration again",
		Long: `reload has the running daemon read its own file again. Plugins whose settings are the same run on with all that they
have: sockets, sessions, caches, counters. Others are drained and replaced, new ones opened first. If anything in the
file is wrong, or cannot be opened, all stays as it is, and reload says why.

What [global] says of the daemon itself (control, logfile ...) needs a restart; loglevel and shutdown_timeout do not. A
daemon that has changed its user (-u) reads the file and opens what is new as that user. SIGHUP does not read the
configuration: it opens files anew, as with ulogd2.
` + found,
		Example: `  ulogd reload
  ulogd reload --dry-run`,
	}
	c.Flags().StringVar(&o.socket, "socket", "", "reload the daemon behind the control socket `PATH`")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "only say what would change")
	c.MarkFlagFilename("socket")
	does(c, o, "", func(o *options, stdout, stderr io.Writer) int {
		return report(o.reload(stdout, stderr), stderr)
	})
	return c
}

// A reloaded is what the daemon answers.
type reloaded struct {
	Problems []string        `json:"problems,omitempty"` // what the file's reader says
	Failed   bool            `json:"failed,omitempty"`   // nothing was changed
	Changes  *stacks.Changes `json:"changes,omitempty"`
}

// reload asks the daemon and prints what changed.
func (o *options) reload(stdout, stderr io.Writer) error {
	socket, err := o.find()
	if err != nil {
		return err
	}
	question := []string{"reload"}
	if o.dryRun {
		question = append(question, "--dry-run")
	}
	if o.configGiven {
		path, err := filepath.Abs(o.config)
		if err != nil {
			return err
		}
		question = append(question, path)
	}
	var r reloaded
	if _, err = ask(socket, question, func(line []byte) error { return json.Unmarshal(line, &r) }); err != nil {
		return err
	}
	for _, p := range r.Problems {
		fmt.Fprintln(stderr, p)
	}
	switch {
	case r.Failed:
		return errors.New("nothing was changed: the daemon runs on as before")
	case r.Changes == nil:
		return errors.New("the daemon was interrupted")
	case r.Changes.None():
		fmt.Fprintln(stdout, "nothing has changed")
	default:
		fmt.Fprint(stdout, r.Changes)
	}
	return nil
}

// reload answers a client. It says that it is at work while it is.
func (c *control) reload(a *answer, words []string) error {
	dry := len(words) > 0 && words[0] == "--dry-run"
	if dry {
		words = words[1:]
	}
	if len(words) > 0 && words[0] != c.about.Config {
		return fmt.Errorf("this daemon runs with %s; another file needs another daemon", c.about.Config)
	}
	a.begin()
	done := make(chan reloaded, 1)
	go func() { done <- c.again(dry) }()
	for {
		select {
		case r := <-done:
			return a.give(r)
		case <-time.After(5 * time.Second):
			a.give(reloaded{})
			a.w.Flush()
		}
	}
}

// beyond finds what a configuration needs and the sandbox has not kept.
func (p *process) beyond(file *conf.File) (problems conf.Problems) {
	if p.sandbox == nil {
		return nil
	}
	next, _ := stacks.Build(file, &engine.Default, slog.New(slog.DiscardHandler))
	for _, f := range p.sandbox.lacks(next.Machine) {
		pos := whereIs(file, f.Instance.ID, f.Option)
		problems = append(problems, conf.Problem{
			Pos: pos, Section: f.Instance.ID, Option: f.Option,
			Text: fmt.Sprintf("%s is out of reach: the daemon has shut itself in (sandbox) when it started, with what its "+
				"configuration named then; restart it", f.Name),
		})
	}
	return problems
}

// whereIs finds the line of an option, or, where its default holds, the instance's stack.
func whereIs(file *conf.File, id, option string) conf.Pos {
	for _, s := range file.Sections {
		if o, ok := s.Lookup(option); ok && s.Name == id {
			return o.Pos
		}
	}
	for _, st := range file.Stacks {
		if slices.ContainsFunc(st.Elements, func(e conf.Element) bool { return e.ID == id }) {
			return st.Pos
		}
	}
	return conf.Pos{}
}

// reload reads the configuration again and has the machine run what it says now. Clients that ask at the same time wait
// for each other.
func (p *process) reload(dry bool) (r reloaded) {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	if !dry {
		p.notify.reloading()
		defer p.notify.ready()
	}
	file, problems := conf.Load(p.config)
	var changes *stacks.Changes
	problems = append(problems, p.beyond(file)...)
	if len(problems.Errors()) == 0 {
		var more conf.Problems
		changes, more = p.plan.Reload(file, &engine.Default, p.log, dry)
		problems = append(problems, more...)
	}
	problems.Sort()
	for _, problem := range problems {
		r.Problems = append(r.Problems, problem.Error())
	}
	if r.Changes = changes; changes == nil {
		r.Failed = true
	}
	if dry {
		return r
	}
	for _, problem := range problems {
		if problem.Warning {
			p.log.Warn(problem.Error())
		} else {
			p.log.Error(problem.Error())
		}
	}
	if r.Failed {
		p.log.Error("reload: nothing was changed; the daemon runs on as before")
		return r
	}
	p.noteMissing(file)
	p.notify.stacks.Store(int64(len(p.plan.Stacks)))
	g := &p.plan.Global
	p.timeout.Store(int64(g.ShutdownTimeout))
	if p.opts.loglevel == 0 {
		p.journal.min.Store(int64(g.LogLevel))
	}
	p.log.Warn("reloaded", "kept", changes.Kept, "changed", changes.Changed, "added", changes.Added, "removed",
		changes.Removed)
	for _, s := range changes.Left {
		p.summarize("taken out", s)
	}
	return r
}

// noteMissing notes which stacks of a file that was read do not run.
func (p *process) noteMissing(file *conf.File) {
	missing := []string{}
	for _, st := range file.Stacks {
		if !slices.ContainsFunc(p.plan.Stacks, func(s conf.Stack) bool { return s.Pos == st.Pos && s.Text == st.Text }) {
			missing = append(missing, st.Text)
		}
	}
	p.missing.Store(&missing)
}
