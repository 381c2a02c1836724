// Package stacktest runs whole stacks in tests, from configuration text to what comes out at the
// end.
package stacktest

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/stacks"
)

func init() { engine.Poison = true }

// A Daemon is a configuration that runs inside the test.
type Daemon struct {
	t       testing.TB
	Machine *engine.Machine
	Log     *Log
	stopped bool
}

// Plan builds the stacks of a configuration, in TOML if it contains a line that only TOML has
// ("stack" in quotes and brackets apart, both grammars are told by name: path ends in .toml or
// not). It fails the test on any error.
func Plan(t testing.TB, path, text string, log *Log) *stacks.Plan {
	t.Helper()
	file, problems := conf.Parse(path, []byte(text))
	plan, more := stacks.Build(file, &engine.Default, slog.New(log))
	for _, p := range append(problems, more...).Errors() {
		t.Error(p)
	}
	if t.Failed() {
		t.FailNow()
	}
	return plan
}

// Start runs a TOML configuration. At the end of the test it is stopped, if it still runs, and its
// sums are checked.
func Start(t testing.TB, text string) *Daemon {
	t.Helper()
	return start(t, "test.toml", text)
}

// StartConf is Start for an ulogd.conf.
func StartConf(t testing.TB, text string) *Daemon {
	t.Helper()
	return start(t, "test.conf", text)
}

func start(t testing.TB, path, text string) *Daemon {
	t.Helper()
	d := &Daemon{t: t, Log: &Log{}}
	d.Machine = Plan(t, path, text, d.Log).Machine
	if err := d.Machine.Open(); err != nil {
		t.Fatal(err)
	}
	d.Machine.Start()
	t.Cleanup(func() {
		if !d.stopped {
			d.Stop()
		}
	})
	return d
}

// Run runs a TOML configuration with finite inputs to its end.
func Run(t testing.TB, text string) *Daemon {
	t.Helper()
	d := Start(t, text)
	d.Wait()
	return d
}

// Wait waits until all inputs have ended and everything is out.
func (d *Daemon) Wait() {
	d.t.Helper()
	select {
	case <-d.Machine.Ended():
	case <-time.After(time.Minute):
		d.t.Fatalf("the stacks do not come to their end\n%s\n%s", d.Log, d.Sums())
	}
	d.finish()
}

// Stop stops the inputs and lets everything they read go out.
func (d *Daemon) Stop() {
	d.t.Helper()
	d.Machine.Stop(10 * time.Second)
	d.finish()
}

// StopFails is Stop for a daemon that is to end with an error, which it returns.
func (d *Daemon) StopFails() error {
	d.t.Helper()
	d.Machine.Stop(10 * time.Second)
	d.stopped = true
	err := d.Machine.Wait()
	d.CheckSums()
	return err
}

func (d *Daemon) finish() {
	d.t.Helper()
	d.stopped = true
	if err := d.Machine.Wait(); err != nil {
		d.t.Errorf("%v\n%s", err, d.Log)
	}
	d.CheckSums()
}

// CheckSums fails the test if a record is not accounted for. It holds between batches, so the
// daemon should be idle or ended.
func (d *Daemon) CheckSums() {
	d.t.Helper()
	for _, s := range d.Machine.Snapshot() {
		if s.Open() != 0 {
			d.t.Errorf("%s:%s: %d records are not accounted for: %+v", s.ID, s.Plugin, s.Open(), s)
		}
	}
}

// Stats returns the counters of an instance.
func (d *Daemon) Stats(id string) engine.Snapshot {
	d.t.Helper()
	all := d.Machine.Snapshot()
	i := slices.IndexFunc(all, func(s engine.Snapshot) bool { return s.ID == id })
	if i < 0 {
		d.t.Fatalf("there is no instance %s", id)
	}
	return all[i]
}

// Count returns a named counter of an instance: a drop reason, a loss or an informing counter. 0 if
// it has none of that name.
func (d *Daemon) Count(id, name string) int64 {
	d.t.Helper()
	s := d.Stats(id)
	for _, list := range [][]engine.Reading{s.Drops, s.Exclusions, s.Losses, s.Counters, s.Figures} {
		for _, c := range list {
			if c.Name == name {
				return c.Value
			}
		}
	}
	return 0
}

// Sums returns all counters as text.
func (d *Daemon) Sums() string {
	var b strings.Builder
	for _, s := range d.Machine.Snapshot() {
		fmt.Fprintf(&b, "%+v\n", s)
	}
	return b.String()
}

// Eventually waits until ok returns true.
func (d *Daemon) Eventually(what string, ok func() bool) {
	d.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("%s: waited in vain\n%s\n%s", what, d.Log, d.Sums())
		}
	}
}

// mu guards the recordings and the log.
var mu sync.Mutex
