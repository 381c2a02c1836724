// The registry of plugins, and the manuals that they make of themselves.

package engine

import (
	"fmt"
	"sort"
)

// A Registry holds plugins by kind and name; one name may stand for two kinds.
type Registry struct{ byName map[Kind]map[string]*Plugin }

// Default is the registry that plugins add themselves to when they are imported.
var Default Registry

// Register adds a plugin to the default registry. It panics on a duplicate and on an incomplete
// plugin: both are seen at the first start.
func Register(p Plugin) { Default.Register(p) }

// Register adds a plugin.
func (r *Registry) Register(p Plugin) {
	if n := p.constructors(); p.Name == "" || p.Refuse == nil && n != 1 || p.Refuse != nil && n != 0 {
		panic(fmt.Sprintf("engine: plugin %q needs a name and one constructor, or a refusal", p.Name))
	}
	kind := p.Kind()
	if r.byName == nil {
		r.byName = map[Kind]map[string]*Plugin{}
	}
	if r.byName[kind] == nil {
		r.byName[kind] = map[string]*Plugin{}
	}
	if r.byName[kind][p.Name] != nil {
		panic(fmt.Sprintf("engine: %s plugin %s is registered twice", kind, p.Name))
	}
	r.byName[kind][p.Name] = &p
}

// Lookup finds a plugin.
func (r *Registry) Lookup(k Kind, name string) (*Plugin, bool) {
	p, ok := r.byName[k][name]
	return p, ok
}

// Plugins returns all plugins by name, inputs before filters before outputs of the same name.
func (r *Registry) Plugins() []*Plugin {
	var out []*Plugin
	for _, m := range r.byName {
		for _, p := range m {
			out = append(out, p)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Name != out[j].Name {
			return out[i].Name < out[j].Name
		}
		return out[i].Kind() < out[j].Kind()
	})
	return out
}

// Manual is what a plugin says of itself, gathered by letting it declare its options and keys.
type Manual struct {
	Plugin              *Plugin
	Options             []*Option
	Needs, Wants, Gives []*KeyInfo
	TakesAll            bool
}

// Describe gathers the manual of a plugin from the code that runs it.
func Describe(p *Plugin) (m Manual) {
	m.Plugin = p
	if p.Refuse != nil {
		return m
	}
	inst := NewInstance(p, "manual")
	inst.env = newEnv(nil, inst)
	m.Options = inst.Options.list
	seg := &segment{}
	b := &Binder{inst: inst, seg: seg, chain: &builder{d: &binding{m: &Machine{}}}, step: &step{}, describe: &m}
	switch x := inst.impl.(type) {
	case Input:
		x.Bind(b)
	case Filter: // outputs have the same method
		if s, ok := x.(Sharder); ok {
			s.Deal(b)
		}
		x.Bind(b)
	}
	return m
}
