// Reload: what a file says now, for a plan that runs.

package stacks

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"

	"ulogd/conf"
	"ulogd/engine"
)

// Changes are what a reload does, or would do, with the instances, each as ID:PLUGIN.
type Changes struct {
	Kept    []string // run on as they are
	Changed []string // are replaced, since their settings differ
	Added   []string
	Removed []string

	Stacks []string          // that were bound anew, though some of their instances are kept
	Left   []engine.Snapshot // the counters of what was taken out, at its end
}

// None reports whether nothing changes.
func (c *Changes) None() bool {
	return len(c.Changed)+len(c.Added)+len(c.Removed)+len(c.Stacks) == 0
}

// atOnce are the options of [global] that a reload changes; the others need a restart.
var atOnce = []string{"loglevel", "shutdown_timeout", "compat"}

// Reload has the machine of a plan run what a file says now; dry only says what that would do. On
// any problem nothing is changed.
func (p *Plan) Reload(f *conf.File, reg *engine.Registry, log *slog.Logger, dry bool) (*Changes, conf.Problems) {
	next, problems := Build(f, reg, log) // the trial: its instances are never opened
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	if problem, ok := p.fixed(f); ok {
		return nil, append(problems, problem)
	}
	b := &planner{
		file: f, reg: reg, instances: map[string]*engine.Instance{}, broken: map[conf.Element]bool{},
		compat: next.Global.Compat,
	}
	specs, _ := b.specs() // instances that no machine has bound yet
	changes := p.match(specs)
	if dry {
		return changes, problems
	}
	done, errs := p.Machine.Change(specs, next.Global.ShutdownTimeout)
	for _, err := range errs {
		if problem := whose(err, next.Stacks); !slices.Contains(problems, problem) { // copies of a stack's rest say the same
			problems = append(problems, problem)
		}
	}
	if len(errs) > 0 {
		return nil, problems
	}
	changes.Left = done.Left
	p.Global, p.Stacks, p.specs, p.global = next.Global, next.Stacks, specs, f.Global.Options
	return changes, problems
}

// whose finds the stack that an error of the engine is about.
func whose(err error, list []conf.Stack) conf.Problem {
	problem := conf.Problem{Option: "stack", Text: err.Error()}
	if e, ok := errors.AsType[*engine.BuildError](err); ok {
		problem.Pos = list[e.Stack].Pos
	} else if e, ok := errors.AsType[*engine.OpenError](err); ok {
		is := func(el conf.Element) bool { return el.ID == e.Instance.ID && el.Plugin == e.Instance.Plugin.Name }
		for _, st := range list {
			if slices.ContainsFunc(st.Elements, is) {
				problem.Pos = st.Pos
				break
			}
		}
	}
	return problem
}

// fixed finds an option of [global] that the file has changed and a reload cannot.
func (p *Plan) fixed(f *conf.File) (conf.Problem, bool) {
	value := func(list []conf.Option, name string) (o conf.Option) {
		for _, o := range list {
			if o.Name == name {
				return o
			}
		}
		return o
	}
	for _, o := range append(slices.Clone(f.Global.Options), p.global...) {
		a, b := value(f.Global.Options, o.Name), value(p.global, o.Name)
		if o.Name == "stack" || slices.Contains(atOnce, o.Name) || reflect.DeepEqual(a.Value, b.Value) {
			continue
		}
		return conf.Problem{
			Pos: a.Pos, Section: "global", Option: o.Name,
			Text: "has changed; that needs a restart: a reload changes stacks, their instances, and " +
				strings.Join(atOnce, ", "),
		}, true
	}
	return conf.Problem{}, false
}

// match puts the instances that run in the place of new ones that are the same, and says what that
// comes to.
func (p *Plan) match(specs []engine.StackSpec) *Changes {
	c := &Changes{}
	old := map[string]*engine.Instance{}
	for _, s := range p.specs {
		for _, inst := range s.Instances {
			old[inst.String()] = inst
		}
	}
	seen := map[string]bool{}
	for _, s := range specs {
		for i, inst := range s.Instances {
			name := inst.String()
			was := old[name]
			switch {
			case was != nil && was.Same(inst):
				s.Instances[i] = was
				note(seen, &c.Kept, name)
			case was != nil:
				note(seen, &c.Changed, name)
			default:
				note(seen, &c.Added, name)
			}
		}
	}
	for _, s := range p.specs {
		for _, inst := range s.Instances {
			note(seen, &c.Removed, inst.String())
		}
	}
	for _, s := range specs {
		same := func(t engine.StackSpec) bool { return slices.Equal(s.Instances, t.Instances) }
		kept := func(inst *engine.Instance) bool { return slices.Contains(c.Kept, inst.String()) }
		if !slices.ContainsFunc(p.specs, same) && slices.ContainsFunc(s.Instances, kept) {
			c.Stacks = append(c.Stacks, s.Name)
		}
	}
	return c
}

// note appends a name that was in no list yet.
func note(seen map[string]bool, list *[]string, name string) {
	if !seen[name] {
		seen[name] = true
		*list = append(*list, name)
	}
}

// String says it for people, a line for each kind of change.
func (c *Changes) String() string {
	var b strings.Builder
	for _, l := range []struct {
		word  string
		names []string
	}{{"kept", c.Kept}, {"changed", c.Changed}, {"added", c.Added}, {"removed", c.Removed}, {"bound anew", c.Stacks}} {
		if len(l.names) > 0 {
			fmt.Fprintf(&b, "%-11s%s\n", l.word, strings.Join(l.names, " "))
		}
	}
	return b.String()
}
