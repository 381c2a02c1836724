// Running Go code inside a namespace. A namespace belongs to a thread, so the code gets a thread of
// its own, which ends afterwards and takes the change along. Sockets stay in the namespace they
// were opened in.

package nstest

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Do runs f inside the namespace and waits for it. Sockets that f opens keep working afterwards;
// goroutines that f starts are outside. f may call t.Fatal. Beware that /proc/net is the process's
// namespace: inside, read /proc/thread-self/net. /proc/sys/net is right.
func (ns *NS) Do(t testing.TB, f func()) {
	t.Helper()
	finished := false
	err := onThread(ns.enter, func() {
		f()
		finished = true
	})
	if err != nil {
		t.Fatal(err)
	}
	if !finished { // f called t.Fatal or t.Skip, which ended its goroutine; end this one as well
		runtime.Goexit()
	}
}

func (ns *NS) enter() error {
	file, err := os.Open(ns.Path())
	if err != nil {
		return fmt.Errorf("enter namespace: %w", err)
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", ns.name, err)
	}
	return nil
}

// enterNew moves the thread into a nameless namespace that ends with it.
func enterNew() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	return nil
}

// onThread calls enter and then f on a thread that ends afterwards. Programs started by f inherit
// its namespace.
func onThread(enter func() error, f func()) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the runtime then ends the thread with the goroutine
		var err error
		defer func() { done <- err }()
		if err = enter(); err == nil {
			f()
		}
	}()
	return <-done
}
