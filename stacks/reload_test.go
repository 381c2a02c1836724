// Reload of a running machine: nothing is lost by what stays.

package stacks_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/conf"
	"ulogd/engine"
	_ "ulogd/plugins/filter/flow"
	_ "ulogd/plugins/filter/mark"
	_ "ulogd/plugins/output/print"
	"ulogd/stacks"
	"ulogd/test/stacktest"
)

// A running plan, and where its configuration lies.
type reloading struct {
	*testing.T
	dir  string
	plan *stacks.Plan
	log  *stacktest.Log
}

// runs starts a configuration, in which DIR is a directory of the test's.
func runs(t *testing.T, text string) *reloading {
	t.Helper()
	return runsIn(t, t.TempDir(), text)
}

func runsIn(t *testing.T, dir, text string) *reloading {
	t.Helper()
	r := &reloading{T: t, dir: dir, log: &stacktest.Log{}}
	r.plan = stacktest.Plan(t, "reload.toml", strings.ReplaceAll(text, "DIR", r.dir), r.log)
	if err := r.plan.Machine.Open(); err != nil {
		t.Fatal(err)
	}
	r.plan.Machine.Start()
	return r
}

// reload has it run another configuration.
func (r *reloading) reload(text string) *stacks.Changes {
	r.Helper()
	c, problems := r.try(text, false)
	if errs := problems.Errors(); len(errs) > 0 {
		r.Fatal(errs)
	}
	return c
}

func (r *reloading) try(text string, dry bool) (*stacks.Changes, conf.Problems) {
	r.Helper()
	path := filepath.Join(r.dir, "reload.toml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", r.dir)), 0o600); err != nil {
		r.Fatal(err)
	}
	f, problems := conf.Load(path)
	if errs := problems.Errors(); len(errs) > 0 {
		r.Fatal(errs)
	}
	return r.plan.Reload(f, &engine.Default, slog.New(r.log), dry)
}

// ends stops it and returns the counters of an instance.
func (r *reloading) ends() map[string]engine.Snapshot {
	r.Helper()
	r.plan.Machine.Stop(10 * time.Second)
	if err := r.plan.Machine.Wait(); err != nil {
		r.Error(err)
	}
	if r.log.Has(engine.Unbalanced) {
		r.Error(r.log)
	}
	all := map[string]engine.Snapshot{}
	for _, s := range r.plan.Machine.Snapshot() {
		all[s.ID] = s
	}
	return all
}

func (r *reloading) lines(name string) int64 {
	r.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.Fatal(err)
	}
	return int64(bytes.Count(text, []byte("\n")))
}

const (
	reloadStart = `
stack = ["g:GEN,keep:PRINT", "g:GEN,m:MARK,behind:PRINT"]

[g]
count = 0
rate = 100000

[keep]
file = "DIR/keep"
keys = ["ct.id"]

[behind]
file = "DIR/behind"
keys = ["ct.id"]

[m]
mask = 0
`
	// Its filter has another setting, which passes the same.
	reloadFilter = reloadStart + "mark = 0\n"
	// An output more, which reads what nobody else does.
	reloadMore = reloadFilter + `
[more]
file = "DIR/more"
`
)

func moreStack(text string) string {
	return strings.Replace(text, `stack = [`, `stack = ["g:GEN,more:PRINT", `, 1)
}

// A hundred reloads during a flood, which add and remove an output and change a filter.
func TestReloadsLoseNothing(t *testing.T) {
	r := runs(t, reloadStart)
	before := runtime.NumGoroutine()
	var more int64
	for i := range 100 {
		switch i % 4 {
		case 0:
			r.reload(reloadFilter)
		case 1:
			r.reload(moreStack(reloadMore))
		case 2:
			c := r.reload(reloadFilter)
			if len(c.Left) != 1 || c.Left[0].ID != "more" || c.Left[0].In != c.Left[0].Out || c.Left[0].Dropped != 0 {
				t.Fatalf("what was removed: %+v", c.Left)
			}
			more += c.Left[0].Out
		case 3:
			r.reload(reloadStart)
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
	all := r.ends()
	made := all["g"].Made
	for _, id := range []string{"keep", "behind"} {
		if n := r.lines(id); n != made || all[id].In != made || all[id].Out != made {
			t.Errorf("%s has %d lines, in=%d out=%d, of %d records", id, n, all[id].In, all[id].Out, made)
		}
	}
	if n := r.lines("more"); n != more || n == 0 {
		t.Errorf("more has %d lines, %d were counted when it was removed", n, more)
	}
	if text, _ := os.ReadFile(filepath.Join(r.dir, "more")); !bytes.Contains(text, []byte("orig.raw.pktlen=")) ||
		bytes.Contains(text, []byte("1515870810")) {
		t.Errorf("more has not the keys that it alone reads: %.300s", text)
	}
}

// What a reload says that it does.
func TestReloadSaysWhatChanges(t *testing.T) {
	r := runs(t, reloadStart)
	defer r.ends()
	c, _ := r.try(moreStack(reloadMore), true)
	for _, l := range []struct {
		got  []string
		want string
	}{
		{c.Kept, "g:GEN keep:PRINT behind:PRINT"},
		{c.Changed, "m:MARK"},
		{c.Added, "more:PRINT"},
		{c.Removed, ""},
		{c.Stacks, "g:GEN,more:PRINT g:GEN,m:MARK,behind:PRINT"},
	} {
		slices.Sort(l.got)
		want := strings.Fields(l.want)
		slices.Sort(want)
		if !slices.Equal(l.got, want) {
			t.Errorf("%q, want %q", l.got, want)
		}
	}
	if c, _ := r.try(reloadStart, true); !c.None() {
		t.Errorf("the same file changes %s", c)
	}
}

// What does not fit, or cannot be opened, or needs a restart, changes nothing.
func TestReloadRefused(t *testing.T) {
	r := runs(t, reloadStart)
	for text, want := range map[string]string{
		strings.Replace(reloadStart, "mask = 0", "mask = \"x\"", 1):                                        "mask",
		strings.Replace(reloadStart, "m:MARK,", "m:MARK,f:FLOW,", 1):                                       "needs",
		strings.Replace(reloadStart, "m:MARK,behind", "m:MARK,new", 1) + "\n[new]\nfile=\"DIR/no/such\"\n": "new:PRINT",
		"control = \"/run/x.sock\"\n" + reloadStart:                                                        "restart",
	} {
		_, problems := r.try(text, false)
		if errs := problems.Errors(); len(errs) == 0 || !strings.Contains(fmt.Sprint(errs), want) {
			t.Errorf("%s: %v, want %q", text, errs, want)
		}
	}
	time.Sleep(500 * time.Millisecond)
	all := r.ends()
	for _, id := range []string{"keep", "behind"} {
		if n := r.lines(id); n != all["g"].Made || n == 0 {
			t.Errorf("%s has %d lines of %d records", id, n, all["g"].Made)
		}
	}
}

// An input that is taken out hands on what it has; another begins; a stack of it is new.
func TestReloadAnotherInput(t *testing.T) {
	r := runs(t, reloadStart)
	time.Sleep(500 * time.Millisecond)
	c := r.reload(`
stack = ["h:GEN,keep:PRINT", "h:GEN,fresh:PRINT"]

[h]
count = 0
rate = 100000

[keep]
file = "DIR/keep"
keys = ["ct.id"]

[fresh]
file = "DIR/fresh"
`)
	var first, behind int64
	for _, s := range c.Left {
		switch s.ID {
		case "g":
			first = s.Made
		case "behind":
			behind = s.Out
		}
	}
	time.Sleep(500 * time.Millisecond)
	all := r.ends()
	if n := r.lines("behind"); n != first || behind != first || first == 0 {
		t.Errorf("behind has %d lines and counted %d, of %d records", n, behind, first)
	}
	if n := r.lines("keep"); n != first+all["h"].Made || all["keep"].Out != n {
		t.Errorf("keep has %d lines and counted %d, of %d and %d records", n, all["keep"].Out, first, all["h"].Made)
	}
	if n := r.lines("fresh"); n != all["h"].Made || n == 0 {
		t.Errorf("fresh has %d lines of %d records", n, all["h"].Made)
	}
}
