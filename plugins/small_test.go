package plugins_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A build for small machines knows every plugin of a full one: those that it has not, it refuses by name.
func TestSmallBuildKnowsWhatItLacks(t *testing.T) {
	names := func(args ...string) (all []string) {
		run := []string{"run"}
		if emulator := os.Getenv("ULOGD_TEST_EXEC"); emulator != "" {
			run = append(run, "-exec", emulator)
		}
		out, err := exec.Command("go", append(append(run, args...), "ulogd/cmd/ulogd", "plugins")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if f := strings.Fields(line); len(f) > 1 {
				all = append(all, f[0]+" "+f[1])
			}
		}
		return all
	}
	full, small := names(), names("-tags", "small")
	if len(full) < 30 {
		t.Fatalf("a full build lists %q", full)
	}
	for _, p := range full {
		if !slices.Contains(small, p) {
			t.Errorf("%s is neither in a small build nor refused by it: name it in small.go", p)
		}
	}
}
