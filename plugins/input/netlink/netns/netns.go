// Package netns lets inputs work in another network namespace than the daemon's, also when that is
// deleted and made again.
package netns

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Do calls f in the network namespace that the file path stands for, such as /run/netns/NAME; "" is
// the daemon's own. Sockets that f opens stay there. Interfaces have the names, and /proc/sys/net
// the values, that they have there; of /proc/net, /proc/thread-self/net has.
func Do(path string, f func() error) error {
	if path == "" {
		return f()
	}
	_, err := enter(path, f)
	return err
}

// within is Do for a namespace whose file is open. It closes the file before it calls f: an open
// one keeps the name from being unmounted.
func within(ns *os.File, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and takes the change along
		err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		ns.Close()
		if err != nil {
			done <- fmt.Errorf("enter the network namespace %s: %w", ns.Name(), err)
			return
		}
		done <- f()
	}()
	return <-done
}
