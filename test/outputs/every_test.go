package outputs

import (
	"testing"

	"ulogd/engine"
)

// every calls f with the name of each output that is registered and what a test knows of it. The test fails for one of
// which it knows nothing, and says what is to be added.
func every[T any](t *testing.T, known map[string]T, unknown string, f func(name string, it T)) {
	t.Helper()
	for _, p := range engine.Default.Plugins() {
		if p.Kind() != engine.OutputKind || p.Refuse != nil {
			continue
		}
		it, ok := known[p.Name]
		if !ok {
			t.Errorf("%s is not tried %s", p.Name, unknown)
		}
		f(p.Name, it)
	}
}
