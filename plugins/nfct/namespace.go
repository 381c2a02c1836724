// Working in the network namespace of network_namespace_path.

package nfct

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// openNamespace opens the namespace's file; nil is the daemon's own.
func openNamespace(path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("network_namespace_path: %w", err)
	}
	return f, nil
}

// within calls f inside the namespace: /proc/sys/net and new sockets are then its own. The thread that did so ends, and takes the
// change along.
func within(ns *os.File, f func() error) error {
	if ns == nil {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the network namespace %s: %w", ns.Name(), err)
			return
		}
		done <- f()
	}()
	return <-done
}
