package stacktest

import (
	"strings"
	"testing"

	"ulogd/engine"
)

// Set sets options of an instance, each written name=value.
func Set(t testing.TB, inst *engine.Instance, settings ...string) {
	t.Helper()
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		o, ok := inst.Options.Lookup(name)
		if !ok {
			t.Fatalf("no option %s", name)
		}
		if _, err := o.Set(engine.Value{Kind: engine.Word, Text: value}); err != nil {
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
