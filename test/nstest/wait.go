// Waiting for something to become true.

package nstest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
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

// DrainUDP waits until whoever has the UDP port of this namespace has read all that came to it, and nothing more
// has come for a moment.
func DrainUDP(t testing.TB, port string) {
	t.Helper()
	n, _ := strconv.Atoi(port)
	empty := 0
	Eventually(t, time.Minute, func() error {
		time.Sleep(100 * time.Millisecond)
		four, _ := os.ReadFile("/proc/thread-self/net/udp")
		six, _ := os.ReadFile("/proc/thread-self/net/udp6")
		for line := range strings.Lines(string(append(four, six...))) {
			f := strings.Fields(line) // number, local and remote address, state, queues to send and to read
			if len(f) < 5 || !strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) {
				continue
			}
			if _, waiting, _ := strings.Cut(f[4], ":"); waiting != "00000000" {
				empty = 0
				return fmt.Errorf("0x%s octets wait at port %s to be read", waiting, port)
			}
		}
		if empty++; empty < 4 {
			return errors.New("the queue has just been found empty")
		}
		return nil
	})
}

// Unchanged waits until a program that writes a file has written nothing for a while, as tcpdump has
// when nothing is on its way to it.
func Unchanged(t testing.TB, path string) {
	t.Helper()
	size := int64(-1)
	Eventually(t, time.Minute, func() error {
		time.Sleep(500 * time.Millisecond)
		f, err := os.Stat(path)
		if err != nil {
			return err
		}
		before := size
		if size = f.Size(); size != before {
			return fmt.Errorf("%s is being written", path)
		}
		return nil
	})
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
