// Waiting for something to become true.

package nstest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// Eventually calls check until it returns nil. When the time is over, the test fails with its last
// error.
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

// BoundUDP waits until somebody has the UDP port of this namespace, and reports whether that came
// before the program that was to take it ended; ended may be nil.
func BoundUDP(port string, ended <-chan error) bool {
	return bound("/proc/thread-self/net/udp", port, ended)
}

// BoundTCP is BoundUDP for TCP.
func BoundTCP(port string, ended <-chan error) bool {
	return bound("/proc/thread-self/net/tcp", port, ended)
}

func bound(table, port string, ended <-chan error) bool {
	n, _ := strconv.Atoi(port)
	row := fmt.Sprintf(":%04X ", n)
	for range 3000 {
		four, _ := os.ReadFile(table)
		six, _ := os.ReadFile(table + "6")
		if bytes.Contains(append(four, six...), []byte(row)) {
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return false
}
