// Setting options of an instance in a test.

package stacktest

import (
	"strings"
	"testing"

	"ulogd/engine"
	"ulogd/engine/value"
)

// Set sets options of an instance, each written name=value.
func Set(t testing.TB, inst *engine.Instance, settings ...string) {
	t.Helper()
	for _, s := range settings {
		name, text, _ := strings.Cut(s, "=")
		o, ok := inst.Options.Lookup(name)
		if !ok {
			t.Fatalf("no option %s", name)
		}
		if _, err := o.Set(engine.Value{Kind: value.Word, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
}

// Configure sets options and has the plugin check them.
func Configure(t testing.TB, inst *engine.Instance, settings ...string) {
	t.Helper()
	Set(t, inst, settings...)
	if err := inst.Validate(); err != nil {
		t.Fatal(err)
	}
}

// Instance makes an instance, with id "t", of what a test itself wrote: an input, a filter or an
// output.
func Instance(kind engine.Kind, impl any) *engine.Instance {
	p := &engine.Plugin{Name: "TEST"}
	switch kind {
	case engine.InputKind:
		p.Input = func() engine.Input { return impl.(engine.Input) }
	case engine.FilterKind:
		p.Filter = func() engine.Filter { return impl.(engine.Filter) }
	case engine.OutputKind:
		p.Output = func() engine.Output { return impl.(engine.Output) }
	}
	return engine.NewInstance(p, "t")
}
