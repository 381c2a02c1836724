// Signals that come while the daemon starts, at the moment at which it has.

package cmd

import (
	"syscall"
	"testing"
)

// One that ends the daemon is kept for it, and no second one makes the start wait.
func TestTwoSignalsAtTheEndOfTheStart(t *testing.T) {
	for range 100 {
		s := newSignals()
		started := s.starting(func() { t.Error("both came at once, and are one") })
		s.end <- syscall.SIGTERM
		s.end <- syscall.SIGTERM // there is room once the first is taken
		started()
		select {
		case <-s.end:
		default:
			t.Fatal("the daemon does not hear of it")
		}
	}
}
