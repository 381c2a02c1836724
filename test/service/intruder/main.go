// Command intruder is the daemon with an output that has been taken over: once records come it tries what
// it should not be able to do, and logs how that went.
package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"ulogd/cmd"
	"ulogd/engine"
	_ "ulogd/plugins/input/gen"
)

func init() {
	engine.Register(engine.Plugin{Name: "INTRUDER", Output: func() engine.Output { return &intruder{} }})
}

func main() { os.Exit(cmd.Main()) }

type intruder struct {
	mine, others, secret string
	env                  *engine.Env
	done                 bool
}

func (x *intruder) Options(o *engine.Options) {
	o.String(&x.mine, "mine", "", "directory that it may fill")
	o.Fills("mine")
	o.String(&x.others, "others", "", "a place of somebody else")
	o.String(&x.secret, "secret", "", "somebody else's file")
}

func (x *intruder) Bind(*engine.Binder) engine.Stage { return x }

func (x *intruder) Open(env *engine.Env) error {
	x.env = env
	return nil
}

func (x *intruder) Consume(*engine.Batch) {
	if x.done {
		return
	}
	x.done = true
	write := func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }
	read := func(path string) error {
		_, err := os.ReadFile(path)
		return err
	}
	for _, try := range []struct {
		name string
		err  error
	}{
		{"write mine", write(filepath.Join(x.mine, "a"))},
		{"make mine", os.MkdirAll(filepath.Join(x.mine, "b", "c"), 0o700)},
		{"rename mine", os.Rename(filepath.Join(x.mine, "a"), filepath.Join(x.mine, "d"))},
		{"remove mine", os.Remove(filepath.Join(x.mine, "d"))},
		{"read time zone", read("/usr/share/zoneinfo/Europe/Berlin")},
		{"read hosts", read("/etc/hosts")},
		{"read kernel", read("/proc/self/net/dev")},

		{"write others", write(filepath.Join(x.others, "a"))},
		{"link mine to others", os.Symlink(x.secret, filepath.Join(x.mine, "l"))},
		{"truncate secret", os.Truncate(x.secret, 0)},
		{"remove secret", os.Remove(x.secret)},
		{"read secret", read(x.secret)},
		{"list others", func() error { _, err := os.ReadDir(x.others); return err }()},
		{"write through the kernel", write("/proc/self/comm")},
		{"run a program", exec.Command("/bin/true").Run()},
		{"run its own", func() error {
			path := filepath.Join(x.mine, "run")
			return errors.Join(os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700), exec.Command(path).Run())
		}()},
		{"run itself", exec.Command("/proc/self/exe", "-V").Run()},
		{"mount", syscall.Mount("tmpfs", x.mine, "tmpfs", 0, "")},
	} {
		result := "done"
		if try.err != nil {
			result = "refused"
		}
		x.env.Log.Error("intruder: " + try.name + ": " + result)
	}
	x.env.Log.Error("intruder: over")
}
