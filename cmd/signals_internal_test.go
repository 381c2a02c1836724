// Signals that come while the daemon starts, at the moment at which it has.

package cmd

import (
	"syscall"
	"testing"
	"time"
)

// One that ends the daemon is kept for it, and no second one makes the start wait.
func TestTwoSignalsAtTheEndOfTheStart(t *testing.T) {
	for range 100 {
		s := newSignals()
		started := s.starting(func() { t.Error("both came at once, and are one") })
		time.Sleep(time.Millisecond) // until it waits for the first, behind which the second then waits
		s.end <- syscall.SIGTERM
		s.end <- syscall.SIGTERM
		started()
		select {
		case <-s.end:
		default:
			t.Fatal("the daemon does not hear of it")
		}
	}
}
