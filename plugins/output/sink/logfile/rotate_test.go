// Which of the files put aside go.

package logfile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// The oldest go, also when an hour comes twice because summer ends, and when the clock was set back, so that files of
// its future are there: the newest never do.
func TestOldestFilesGo(t *testing.T) {
	now := time.Date(2026, 10, 25, 1, 20, 0, 0, time.UTC) // 02:20 in Berlin, for the second time
	for name, c := range map[string]struct {
		aside map[string]time.Duration // name: age
		want  []string
	}{
		"as ever": {
			map[string]time.Duration{"20261024-235000": 3 * time.Hour, "20261025-010000": 2 * time.Hour, "20261025-021500": time.Minute},
			[]string{"20261025-010000", "20261025-021500"},
		},
		"the end of summer": {
			map[string]time.Duration{"20261025-022000": time.Hour, "20261025-025000": 30 * time.Minute, "20261025-021500": 5 * time.Minute},
			[]string{"20261025-021500", "20261025-025000"},
		},
		"the clock was years ahead": {
			map[string]time.Duration{
				"20300101-000000": -30000 * time.Hour, "20300101-010000": -30001 * time.Hour,
				"20261025-020000": 20 * time.Minute, "20261025-021500": 5 * time.Minute,
			},
			[]string{"20261025-020000", "20261025-021500"},
		},
	} {
		dir := t.TempDir()
		for stamp, age := range c.aside {
			path := filepath.Join(dir, "log-"+stamp+".json")
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
		r := Rotation{Keep: 2}
		if err := r.RemoveOld(filepath.Join(dir, "log.json"), now); err != nil {
			t.Error(err)
		}
		left, _ := filepath.Glob(dir + "/*")
		for i := range left {
			left[i] = filepath.Base(left[i])[len("log-") : len("log-")+len("20261025-010000")]
		}
		if slices.Sort(left); !slices.Equal(left, c.want) {
			t.Errorf("%s: left are %v, want %v", name, left, c.want)
		}
	}
}
