// Who works in the namespace of an input, and has to move when the input does.

package netns

import (
	"time"

	"ulogd/engine"
)

// A Companion stands behind an input that works in a namespace. It enters that at the start, leaves
// it when the input has left, and goes where the input goes: so it never takes the interfaces of
// one namespace for those of the next. All of it runs on its user's goroutine.
type Companion struct {
	// Enter begins to work in the namespace of a file and returns its inode number (Here).
	Enter func(path string) (uint64, error)
	// Leave ends that, also where Enter has failed.
	Leave func() error

	stack  engine.StackInfo
	here   uint64    // that is worked in; 0: none
	met    bool      // the input has been in it, too
	failed time.Time // when it could not be entered
}

// Behind sets the stack whose input it stands behind.
func (c *Companion) Behind(stack engine.StackInfo) { c.stack = stack }

// Open enters the namespace. One that is missing is the input's matter: that ends the daemon, or
// waits.
func (c *Companion) Open() error {
	err := c.enter()
	if c.stack.Entered != nil && IsMissing(err) {
		return nil
	}
	return err
}

func (c *Companion) enter() (err error) {
	if c.here, err = c.Enter(c.stack.Namespace); err != nil {
		c.here = 0
		c.Leave() // what was opened before the error
	}
	return err
}

// Follow moves if the input has moved. Until the input enters the next namespace, records of the
// one before may still come.
func (c *Companion) Follow() error {
	if c.stack.Entered == nil {
		return nil
	}
	there := c.stack.Entered()
	switch {
	case there == c.here:
		c.met = true
		return nil
	case there == 0 && !c.met: // the input is opened later
		return nil
	case there == 0: // to stay would keep the dead namespace in the kernel
		c.here = 0
		return c.Leave()
	case time.Since(c.failed) < lookEvery:
		return nil
	}
	c.here = 0
	err := c.Leave()
	if err == nil {
		err = c.enter()
	}
	if err != nil {
		c.failed = time.Now()
	}
	return err
}
