package engine

import (
	"strings"
	"testing"
	"time"
)

// A clock that is set while the daemon ends neither takes its time away nor makes it wait for an hour: what a deadline
// and a pulse are compared with is the monotonic clock. Package time shows by m= that a time has its reading.
func TestDeadlinesAreMonotonic(t *testing.T) {
	const monotonic = " m=+"
	m := &Machine{stopping: make(chan struct{})}
	inst := &Instance{}
	env := &Env{m: m, pulse: &inst.pulse}
	if !env.Deadline().IsZero() || !env.StopBy().IsZero() {
		t.Errorf("before anybody stops it: %v, %v", env.Deadline(), env.StopBy())
	}
	now := time.Now()
	env.flushBy.set(now.Add(3 * time.Second))
	if got := env.Deadline(); got.Sub(now) != 3*time.Second || !strings.Contains(got.String(), monotonic) {
		t.Errorf("an end by itself: %v", got)
	}
	env.stopBy.set(now.Add(2 * time.Second))
	m.deadline.set(now.Add(time.Second))
	for _, got := range []time.Time{env.Deadline(), env.StopBy()} {
		if got.Sub(now) != time.Second || !strings.Contains(got.String(), monotonic) {
			t.Errorf("a stop: %v, want %v", got, now.Add(time.Second))
		}
	}
	env.Waits()
	inst.pulse.look(&Snapshot{In: 1}, now)
	var s Snapshot
	inst.vital(&s, nil)
	for _, got := range []time.Time{s.Turned, s.Last} {
		if got.Sub(now) > time.Minute || !strings.Contains(got.String(), monotonic) {
			t.Errorf("when it last turned, and had records: %v", got)
		}
	}
}
