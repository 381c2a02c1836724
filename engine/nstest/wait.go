// Waiting for something to become true.

package nstest

import (
	"testing"
	"time"
)

// Eventually calls check until it returns nil. When the time is over, the test fails with its last error.
func Eventually(t testing.TB, timeout time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still so after %v: %v", timeout, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
