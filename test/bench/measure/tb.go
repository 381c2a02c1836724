// Package measure is what benchmarks share that run programs beside each other: CPU time, paced
// sending, pinned processors, the programs themselves.
package measure

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
)

// Run runs f with a testing.TB outside of a test, so that commands can use what was made for tests,
// as test/nstest: Fatal ends f and is the error that Run returns; clean-ups follow f.
func Run(f func(t testing.TB)) error {
	t := &command{}
	t.run(func() { f(t) })
	for len(t.cleanups) > 0 {
		last := len(t.cleanups) - 1
		next := t.cleanups[last]
		t.cleanups = t.cleanups[:last]
		t.run(next)
	}
	if len(t.errors) == 0 {
		return nil
	}
	return t.errors[0]
}

// command is the testing.TB of a command. The embedded interface is nil: it is there because none
// but the testing package can implement one of its methods. What is not defined below panics.
type command struct {
	testing.TB
	cleanups []func()
	errors   []error
}

// run calls f on a goroutine, which Fatal can end.
func (t *command) run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (t *command) Helper()          {}
func (t *command) Name() string     { return "command" }
func (t *command) Failed() bool     { return len(t.errors) > 0 }
func (t *command) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *command) Log(args ...any)            { fmt.Fprintln(os.Stderr, args...) }
func (t *command) Logf(f string, args ...any) { fmt.Fprintf(os.Stderr, f+"\n", args...) }

func (t *command) Error(args ...any) {
	t.errors = append(t.errors, fmt.Errorf("%s", fmt.Sprint(args...)))
}

func (t *command) Errorf(f string, args ...any) { t.errors = append(t.errors, fmt.Errorf(f, args...)) }

func (t *command) Fatal(args ...any) {
	t.Error(args...)
	t.FailNow()
}

func (t *command) Fatalf(f string, args ...any) {
	t.Errorf(f, args...)
	t.FailNow()
}

func (t *command) FailNow() { runtime.Goexit() }

// Skip is for what the machine lacks: of a command that is an error.
func (t *command) Skipf(f string, args ...any) { t.Fatalf(f, args...) }

func (t *command) TempDir() string {
	dir, err := os.MkdirTemp(memory(), "ulogd-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// memory is a folder in memory, where there is one: a disk that others use would stall what is
// measured at random.
func memory() string {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() {
		return shm
	}
	return ""
}

// Percentile returns the p-th of 100 parts of what is measured, which it sorts; 0 of nothing.
func Percentile[T ~int64 | ~float64](v []T, p int) T {
	if len(v) == 0 {
		var none T
		return none
	}
	slices.Sort(v)
	return v[min(len(v)-1, len(v)*p/100)]
}
