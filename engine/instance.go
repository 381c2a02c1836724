// Instances: a plugin with an id and settings.

package engine

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// Settings are the options that the engine itself offers to instances.
type Settings struct {
	Queue    int    // rows that may wait for an output; 0 runs it on the goroutine of its input
	WhenFull string // "", "block" or "drop"
	Compat   string // "ulogd2" restores the values that ulogd2 gets wrong
}

// DefaultQueue is how many records wait for an output that may block.
const DefaultQueue = 65536

// An Instance is a plugin with an id and settings. Inputs and outputs that several stacks name by
// one id are one instance.
type Instance struct {
	ID       string
	Plugin   *Plugin
	Options  Options
	Settings Settings
	Stats    *Stats

	impl any
	env  *Env
	down atomic.Pointer[string] // why a live input does not work just now

	pulse pulse
}

// NewInstance makes an instance with default settings; its Options take the configured ones.
func NewInstance(p *Plugin, id string) *Instance {
	inst := &Instance{ID: id, Plugin: p, Stats: &Stats{}}
	switch p.Kind() {
	case InputKind:
		x := p.Input()
		x.Options(&inst.Options)
		inst.impl = x
	case FilterKind:
		x := p.Filter()
		x.Options(&inst.Options)
		inst.impl = x
	case OutputKind:
		x := p.Output()
		x.Options(&inst.Options)
		inst.impl = x
		def := 0
		if blocks(x) {
			def = DefaultQueue
		}
		Int(&inst.Options, &inst.Settings.Queue, "queue", def,
			"records that may wait for this output, on a goroutine of its own, of a file 4096 at most; 0: none, it runs "+
				"with its input")
		inst.Options.Enum(&inst.Settings.WhenFull, "when_full", "", []string{"block", "drop"},
			"what happens when the queue is full; unset: block for inputs that can wait (files, reliable NFCT), "+
				"drop and count for the others")
	}
	if p.Compat {
		inst.Options.Enum(&inst.Settings.Compat, "compat", "", []string{"none", "ulogd2"}, "ulogd2: restore the values that ulogd2 2.0.8 gets wrong (see the table of differences)")
	}
	return inst
}

// Same reports whether an instance is the same as another: plugin, id and settings.
func (i *Instance) Same(j *Instance) bool {
	return i.Plugin == j.Plugin && i.ID == j.ID && i.Settings == j.Settings &&
		slices.EqualFunc(i.Options.list, j.Options.list, (*Option).same)
}

// Validate checks the settings without any I/O.
func (i *Instance) Validate() error {
	if i.Settings.Queue < 0 {
		return fmt.Errorf("queue: must not be negative, is %d", i.Settings.Queue)
	}
	if v, ok := i.impl.(Validator); ok {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	if i.Plugin.Kind() == OutputKind && blocks(i.impl) && !i.Options.Given("queue") {
		i.Settings.Queue = DefaultQueue
	}
	return nil
}

// blocks reports whether an output's writes can take long.
func blocks(output any) bool {
	b, ok := output.(Blocker)
	return ok && b.Blocks()
}

// CompatULOGD2 reports whether ulogd2's wrong values are asked for.
func (s *Settings) CompatULOGD2() bool { return s.Compat == "ulogd2" }

func (i *Instance) String() string { return i.ID + ":" + i.Plugin.Name }
