// One output under test, with the records that it gets.

package stacktest

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/value"
)

// A Setup says what is to be run.
type Setup struct {
	Input   string            // name of the input plugin that the records are to come from; "NFLOG" if empty
	Output  string            // name of the output plugin
	Options map[string]string // of the output
	Shape   []Record          // records that together have all keys, in the order of the stack
	Clock   int64             // what Batch.Clock returns, nanoseconds; 0: the wall clock
}

// A Fixture is an input and the output under test.
type Fixture struct {
	Machine *engine.Machine
	Log     *Log

	t      testing.TB
	src    *source
	closed bool
}

// Build binds the stack without opening it. It fails the test if the settings are refused.
func (s Setup) Build(t testing.TB) *Fixture {
	t.Helper()
	st, err := s.try(t)
	if err != "" {
		t.Fatal(err)
	}
	return st
}

// Refusal returns why the settings are refused; empty if they are not.
func (s Setup) Refusal(t testing.TB) string {
	t.Helper()
	_, err := s.try(t)
	return err
}

func (s Setup) try(t testing.TB) (*Fixture, string) {
	t.Helper()
	out, ok := engine.Default.Lookup(engine.OutputKind, s.Output)
	if !ok {
		t.Fatalf("there is no output %s", s.Output)
	}
	return s.with(t, out)
}

func (s Setup) with(t testing.TB, out *engine.Plugin) (*Fixture, string) {
	t.Helper()
	if s.Input == "" {
		s.Input = "NFLOG"
	}
	src := &source{shape: s.Shape, clock: s.Clock, feed: make(chan []Record, 1024)}
	in := &engine.Plugin{Name: s.Input, Input: func() engine.Input { return src }}
	inst := engine.NewInstance(out, "out1")
	for name, text := range s.Options {
		opt, ok := inst.Options.Lookup(name)
		if !ok {
			t.Fatalf("%s has no option %s", s.Output, name)
		}
		if _, err := opt.Set(engine.Value{Kind: value.Word, Text: text}); err != nil {
			return nil, name + ": " + err.Error()
		}
	}
	if err := inst.Validate(); err != nil {
		return nil, err.Error()
	}
	st := &Fixture{t: t, src: src, Log: &Log{}}
	m, problems := engine.Build(slog.New(st.Log), []engine.StackSpec{{Name: "test", Instances: []*engine.Instance{engine.NewInstance(in, "in1"), inst}}})
	if len(problems) > 0 {
		return nil, problems[0].Error()
	}
	st.Machine = m
	return st, ""
}

// Start opens and starts the stack. It ends with the test at the latest.
func (s Setup) Start(t testing.TB) *Fixture {
	t.Helper()
	st := s.Build(t)
	if err := st.Machine.Open(); err != nil {
		t.Fatal(err)
	}
	st.Machine.Start()
	t.Cleanup(st.End)
	return st
}

// Send hands records to the stack.
func (st *Fixture) Send(recs ...Record) { st.src.feed <- recs }

// End lets everything that was sent go out and checks that every record is accounted for.
func (st *Fixture) End() {
	st.t.Helper()
	if st.closed {
		return
	}
	st.closed = true
	close(st.src.feed)
	select {
	case <-st.Machine.Ended():
	case <-time.After(time.Minute):
		st.t.Fatalf("the stack does not end\n%s", st.Log)
	}
	if err := st.Machine.Wait(); err != nil {
		st.t.Error(err)
	}
	for _, s := range st.Machine.Snapshot() {
		if s.Open() != 0 {
			st.t.Errorf("%s: %d records are not accounted for: %+v", s.Plugin, s.Open(), s)
		}
	}
}

// Stats returns the output's counters.
func (st *Fixture) Stats() engine.Snapshot { return st.Machine.Snapshot()[1] }

// Count returns a named counter of the output, as Daemon's Count.
func (st *Fixture) Count(name string) int64 {
	s := st.Stats()
	for _, list := range [][]engine.Reading{s.Drops, s.Exclusions, s.Losses, s.Counters, s.Figures} {
		for _, c := range list {
			if c.Name == name {
				return c.Value
			}
		}
	}
	return 0
}

// Eventually waits until ok returns true.
func (st *Fixture) Eventually(what string, ok func() bool) {
	st.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			st.t.Fatalf("%s: waited in vain; %+v\n%s", what, st.Stats(), st.Log)
		}
	}
}

// Run sends the records of the shape and waits for the end.
func (s Setup) Run(t testing.TB) *Fixture {
	t.Helper()
	st := s.Start(t)
	st.Send(s.Shape...)
	st.End()
	return st
}

// SameLines fails the test at the first line that differs.
func SameLines(t testing.TB, got, want string) {
	t.Helper()
	g, w := strings.SplitAfter(got, "\n"), strings.SplitAfter(want, "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("line %d is\n%q\nwant\n%q", i+1, a, b)
		}
	}
}
