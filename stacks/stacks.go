// Package stacks turns a configuration into a machine: it finds the plugins that the stacks name, gives their instances the options of their
// sections, has the engine bind the keys, and says of everything that does not fit where it stands and what would mend it.
package stacks

import (
	"log/slog"
	"slices"

	"ulogd/conf"
	"ulogd/engine"
)

// A Plan is a configuration that has been understood.
type Plan struct {
	Global  Global
	Machine *engine.Machine
	Stacks  []conf.Stack // those that are built, in the machine's order

	specs  []engine.StackSpec
	global []conf.Option
}

// Build reads the stacks of a file. It does no I/O. All problems are returned at once; in a ulogd.conf a stack with an error is left out, as
// ulogd2 does, and the plan holds the others.
func Build(f *conf.File, reg *engine.Registry, log *slog.Logger) (*Plan, conf.Problems) {
	b := &planner{file: f, reg: reg, instances: map[string]*engine.Instance{}, broken: map[conf.Element]bool{}}
	p := &Plan{global: f.Global.Options}
	b.global(&p.Global)
	var specs []engine.StackSpec
	specs, p.Stacks = b.specs()
	b.unused()
	m, broken := b.bind(log, specs, p.Stacks)
	if len(broken) > 0 && f.Grammar == conf.Ulogd {
		specs, p.Stacks = without(specs, broken), without(p.Stacks, broken)
		b.fresh(specs, p.Stacks)
		m, _ = engine.Build(log, specs)
	}
	m.Patience = p.Global.ShutdownTimeout
	p.Machine, p.specs = m, specs
	b.problems.Sort()
	return p, b.problems
}

// Without is the plan of a file without the stacks that an instance is in, for one that cannot be opened. What is wrong
// with the rest was said before.
func Without(f *conf.File, reg *engine.Registry, log *slog.Logger, inst *engine.Instance) (rest *conf.File, p *Plan, left []conf.Stack) {
	r := *f
	r.Stacks = nil
	for _, st := range f.Stacks {
		if slices.Contains(st.Elements, conf.Element{ID: inst.ID, Plugin: inst.Plugin.Name}) {
			left = append(left, st)
		} else {
			r.Stacks = append(r.Stacks, st)
		}
	}
	p, _ = Build(&r, reg, log)
	return &r, p, left
}

func without[T any](all []T, leave map[int]bool) (rest []T) {
	for i, x := range all {
		if !leave[i] {
			rest = append(rest, x)
		}
	}
	return rest
}
