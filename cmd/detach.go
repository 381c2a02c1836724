// Going to the background: -d.

package cmd

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// readyFD is the descriptor by which the process in the background tells its parent that all is open. The environment variable says
// that it is there.
const (
	readyFD  = 3
	readyEnv = "ULOGD_READY_FD"
)

// background runs the program again in a session of its own and waits until it says that configuration and sockets are good, or
// ends. It returns the exit code that the command -d is to end with.
func background(stderr io.Writer) int {
	fail := func(err error) int {
		fmt.Fprintln(stderr, "ulogd: cannot go to the background:", err)
		return exitError
	}
	self, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	c := exec.Command(self, os.Args[1:]...)
	c.Env = append(os.Environ(), readyEnv+"=1")
	c.Stderr = os.Stderr // until ready, so that errors of the start are seen
	c.ExtraFiles = []*os.File{w}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		return fail(err)
	}
	w.Close()
	if ok, _ := io.ReadAll(r); len(ok) > 0 {
		return exitOK
	}
	c.Wait()
	if code := c.ProcessState.ExitCode(); code > 0 {
		return code
	}
	return exitError
}

// inBackground reports whether this process is the one that background started.
func inBackground() bool { return os.Getenv(readyEnv) != "" }

// ready tells the waiting parent that the start succeeded, and lets go of its terminal.
func ready() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := syscall.Dup3(int(null.Fd()), fd, 0); err != nil {
			return err
		}
	}
	pipe := os.NewFile(readyFD, "ready")
	defer pipe.Close()
	_, err = pipe.Write([]byte("ready"))
	return err
}
