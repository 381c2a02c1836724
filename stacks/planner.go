// From sections of a file to instances and stacks, and what is wrong with them.

package stacks

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"ulogd/conf"
	"ulogd/engine"
)

// planner gathers instances and problems while a file's stacks are read.
type planner struct {
	file      *conf.File
	reg       *engine.Registry
	instances map[string]*engine.Instance // by id; filters by ID:PLUGIN, since stacks may call different ones the same, as in ulogd2
	broken    map[conf.Element]bool       // what has a problem, which was reported
	compat    string
	problems  conf.Problems
}

func (b *planner) errorf(pos conf.Pos, section, option, format string, args ...any) {
	b.problems = append(b.problems, conf.Problem{Pos: pos, Section: section, Option: option, Text: fmt.Sprintf(format, args...)})
}

func (b *planner) warnf(pos conf.Pos, section, option, format string, args ...any) {
	b.problems = append(b.problems, conf.Problem{Pos: pos, Section: section, Option: option, Text: fmt.Sprintf(format, args...), Warning: true})
}

// specs finds or makes the instances of all stacks, and returns those that have all they name.
func (b *planner) specs() (specs []engine.StackSpec, built []conf.Stack) {
	for _, st := range b.file.Stacks {
		if insts, ok := b.stack(st); ok {
			specs = append(specs, engine.StackSpec{Name: st.Text, Instances: insts})
			built = append(built, st)
		}
	}
	return specs, built
}

// stack finds or makes the instances of one stack.
func (b *planner) stack(st conf.Stack) (insts []*engine.Instance, ok bool) {
	if len(st.Elements) < 2 {
		b.errorf(st.Pos, "", "stack", "%q needs an input and an output at least, such as ct1:NFCT,ipfix1:IPFIX", st.Text)
		return nil, false
	}
	ok = true
	for i, e := range st.Elements {
		kind := engine.FilterKind
		switch i {
		case 0:
			kind = engine.InputKind
		case len(st.Elements) - 1:
			kind = engine.OutputKind
		}
		inst := b.instance(st, e, kind)
		if inst == nil {
			ok = false
			continue
		}
		if slices.Contains(insts, inst) {
			b.errorf(st.Pos, "", "stack", "%s stands twice in one stack; give the second an id of its own", e.ID)
			ok = false
		}
		insts = append(insts, inst)
	}
	return insts, ok
}

// instance returns the instance of an id, made at its first use. It is nil if there is a problem, which has been reported.
func (b *planner) instance(st conf.Stack, e conf.Element, kind engine.Kind) *engine.Instance {
	if b.broken[e] {
		return nil
	}
	plugin, ok := b.reg.Lookup(kind, e.Plugin)
	id := e.ID
	if kind == engine.FilterKind {
		id += ":" + e.Plugin
	}
	if inst := b.instances[id]; inst != nil && ok {
		if inst.Plugin != plugin {
			b.errorf(st.Pos, "", "stack", "%s is the %s %s in another place and cannot be the %s %s too; use another id",
				e.ID, inst.Plugin.Kind(), inst.Plugin.Name, kind, e.Plugin)
			return nil
		}
		return inst
	}
	b.broken[e] = true
	if !ok {
		b.unknownPlugin(st, e, kind)
		return nil
	}
	if plugin.Refuse != nil {
		b.errorf(st.Pos, "", "stack", "%s: %s", e.Plugin, plugin.Refuse.Why)
		return nil
	}
	inst := engine.NewInstance(plugin, e.ID)
	inst.Settings.Compat = b.compat
	if !b.configure(inst, st) {
		return nil
	}
	b.instances[id], b.broken[e] = inst, false
	return inst
}

func (b *planner) unknownPlugin(st conf.Stack, e conf.Element, kind engine.Kind) {
	var names []string
	for _, p := range b.reg.Plugins() {
		if p.Name == e.Plugin {
			b.errorf(st.Pos, "", "stack", "%s is %s, so it stands %s; here %s:%s stands as %s", p.Name, article(p.Kind()),
				place(p.Kind()), e.ID, e.Plugin, kind)
			return
		}
		if p.Kind() == kind {
			names = append(names, p.Name)
		}
	}
	if near, ok := conf.Nearest(e.Plugin, names); ok {
		b.errorf(st.Pos, "", "stack", "there is no %s plugin %s; did you mean %s?", kind, e.Plugin, near)
		return
	}
	b.errorf(st.Pos, "", "stack", "there is no %s plugin %s; there are %s", kind, e.Plugin, strings.Join(names, ", "))
}

// article names a kind with its article.
func article(k engine.Kind) string {
	if k == engine.FilterKind {
		return "a " + k.String()
	}
	return "an " + k.String()
}

func place(k engine.Kind) string {
	return [...]string{"first in a stack", "between input and output", "last in a stack"}[k]
}

// configure gives an instance the options of its section.
func (b *planner) configure(inst *engine.Instance, st conf.Stack) bool {
	sec, found := b.section(inst.ID)
	wrong := map[string]bool{}
	for _, o := range sec.Options {
		opt, known := inst.Options.Lookup(o.Name)
		if !known {
			b.unknownOption(sec, o, inst.Options.List(), inst.Plugin.Name)
			continue
		}
		warning, err := opt.Set(valueOf(o.Value))
		if err != nil {
			b.errorf(o.Pos, sec.Name, o.Name, "%v", err)
			wrong[o.Name] = true
		} else if warning != "" {
			b.warnf(o.Pos, sec.Name, o.Name, "%s", warning)
		}
	}
	for _, err := range split(inst.Validate()) {
		name, text, _ := strings.Cut(err.Error(), ": ")
		if wrong[name] { // its value was refused already
			continue
		}
		if _, isOption := inst.Options.Lookup(name); !isOption {
			name, text = "", err.Error()
		}
		wrong[name] = true
		pos := st.Pos
		if o, set := sec.Lookup(name); set {
			pos = o.Pos
		} else if found {
			pos = sec.Pos
		} else {
			text += fmt.Sprintf("; the section [%s] is missing", inst.ID)
		}
		b.errorf(pos, inst.ID, name, "%s", text)
	}
	return len(wrong) == 0
}

// split takes joined errors apart.
func split(err error) []error {
	if err == nil {
		return nil
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}

// unknownOption is an error in TOML and a warning in a ulogd.conf, where ulogd2 2.0.8 ignored them.
func (b *planner) unknownOption(sec conf.Section, o conf.Option, known []*engine.Option, owner string) {
	var names []string
	for _, k := range known {
		names = append(names, k.Name)
	}
	text := fmt.Sprintf("unknown option; %s has none of that name", owner)
	if sec.Name == "global" {
		names = append(names, "stack")
	}
	if near, ok := conf.Nearest(o.Name, names); ok {
		text = fmt.Sprintf("unknown option; did you mean %s?", near)
	}
	if o.Name == "compat" {
		text = owner + " gives nothing that ulogd2 2.0.8 gets wrong; remove the option"
	}
	b.problems = append(b.problems, conf.Problem{Pos: o.Pos, Section: sec.Name, Option: o.Name, Text: text, Warning: b.file.Grammar == conf.Ulogd})
}

func (b *planner) section(name string) (conf.Section, bool) {
	for _, s := range b.file.Sections {
		if s.Name == name {
			return s, true
		}
	}
	return conf.Section{Name: name}, false
}

// unused warns of sections that no stack names, where they look like a slip of the pen.
func (b *planner) unused() {
	named := map[string]bool{}
	var bare []string // ids without a section
	for _, st := range b.file.Stacks {
		for _, e := range st.Elements {
			if _, ok := b.section(e.ID); !ok && !named[e.ID] {
				bare = append(bare, e.ID)
			}
			named[e.ID] = true
		}
	}
	for _, s := range b.file.Sections {
		if named[s.Name] {
			continue
		}
		if near, ok := conf.Nearest(s.Name, bare); ok {
			b.warnf(s.Pos, s.Name, "", "no stack names this section; did you mean [%s]?", near)
		}
	}
}

// bind lets the engine fit the stacks together and reports which do not, and why.
func (b *planner) bind(
	log *slog.Logger, specs []engine.StackSpec, stacks []conf.Stack,
) (*engine.Machine, map[int]bool) {
	m, errs := engine.Build(log, specs)
	broken := map[int]bool{}
	var said []string
	for _, e := range errs {
		broken[e.Stack] = true
		text := e.Text + b.remedy(e.Missing)
		pos := stacks[e.Stack].Pos
		if line := fmt.Sprint(pos, text); !slices.Contains(said, line) { // copies of a stack's rest say the same
			said = append(said, line)
			b.errorf(pos, "", "stack", "%s", text)
		}
	}
	return m, broken
}

// fresh makes the instances of the stacks that are left anew: what was bound for a broken stack must not stay.
func (b *planner) fresh(specs []engine.StackSpec, stacks []conf.Stack) {
	problems := b.problems
	b.instances, b.broken = map[string]*engine.Instance{}, map[conf.Element]bool{}
	for i, st := range stacks {
		specs[i].Instances, _ = b.stack(st)
	}
	b.problems = problems
}

// remedy names the plugins that give the missing key.
func (b *planner) remedy(missing string) string {
	var names []string
	for _, p := range b.reg.Plugins() {
		if p.Kind() == engine.OutputKind || p.Refuse != nil {
			continue
		}
		for _, k := range engine.Describe(p).Gives {
			if k.Name == missing && !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; put one that gives it in front: " + strings.Join(names, ", ")
}

func valueOf(v conf.Value) engine.Value {
	out := engine.Value{Kind: v.Kind, Text: v.Text}
	for _, e := range v.List {
		out.List = append(out.List, valueOf(e))
	}
	return out
}
