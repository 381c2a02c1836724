// `ulogd doctor`: what will go wrong on this machine with this configuration.

package cmd

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"github.com/spf13/cobra"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/engine/safefile"
	"ulogd/stacks"
)

func doctorCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "what the kernel and this machine will spoil, and the command that mends it",
		Long: `doctor looks at what a configuration needs of this machine: settings of the kernel, sockets,
files, collectors; and, where a systemd unit runs the daemon with this configuration, whether the
unit lets it: directories, capabilities. It changes nothing. For each thing that will go wrong it says what, why,
and the command that mends it, and it exits with 1 if there is any.`,
		Example: "  sudo ulogd doctor -c /etc/ulogd.conf\n  sudo ulogd doctor -u ulog",
	}
	c.Flags().StringVarP(&o.user, "uid", "u", "", "look at files also as `USER`, whom the daemon becomes with -u")
	complete(c, "uid", usersFrom)
	does(c, o, "", runDoctor)
	return c
}

func runDoctor(o *options, stdout, stderr io.Writer) int {
	var who *account
	if o.user != "" {
		var err error
		if who, err = findUser(o.user); err != nil {
			return report(err, stderr)
		}
	}
	u, heir := unitOf(o.config), who
	if heir == nil && u != nil {
		heir, _ = findUser(u.user())
	}
	if heir != nil {
		// What the daemon opens when it is no longer root is not looked at as root's.
		safefile.GiveTo(heir.uid, heir.gid)
	}
	file, problems := conf.Load(o.config)
	plan, more := stacks.Build(file, &engine.Default, slog.New(slog.DiscardHandler))
	problems = append(problems, more...)
	problems.Sort()
	for _, p := range problems {
		fmt.Fprintln(stdout, describe(p))
	}
	d := &engine.DoctorReport{}
	doctorGlobal(d, &plan.Global)
	plan.Machine.Doctor(d)
	if who != nil {
		d.User = o.user
		err := who.look(needed(plan.Machine), func() {
			doctorGlobal(d, &plan.Global)
			plan.Machine.Doctor(d)
		})
		if err != nil {
			return report(fmt.Errorf("-u %s: %w", o.user, err), stderr)
		}
	}
	if u != nil && who == nil {
		if err := u.doctor(d, plan); err != nil {
			return report(fmt.Errorf("look as %s does: %w", unitName, err), stderr)
		}
	}
	for _, f := range d.Findings() {
		fmt.Fprintf(stdout, "%s: %s\n\t%s\n\tmend it: %s\n", strings.Join(f.Where, ", "), f.What, f.Why, f.Mend)
	}
	if n := len(problems.Errors()) + len(d.Findings()); n > 0 {
		fmt.Fprintf(stdout, "%s: %s\n", o.config, count(n, "finding"))
		return exitError
	}
	fmt.Fprintf(stdout, "%s: nothing found, %s\n", o.config, count(len(plan.Stacks), "healthy stack"))
	return exitOK
}

// doctorGlobal looks at what the daemon itself needs.
func doctorGlobal(d *engine.DoctorReport, g *stacks.Global) {
	d.Of("[global]")
	if version, err := ll.LandlockGetABIVersion(); g.Sandbox == "require" && (err != nil || version < 1) {
		d.Find(errNoLandlock.Error(), "the daemon does not start with sandbox = require",
			"boot with lsm=landlock,..., or set sandbox = auto and have the service manager confine the daemon")
	}
	switch g.LogFile {
	case "", "stdout", "syslog":
	default:
		doctor.Writable(d, g.LogFile)
	}
	if g.Control == "" {
		return
	}
	if d.Running = answering(g.Control); d.Running == 0 {
		doctor.Writable(d, g.Control)
	}
}

// answering returns the process behind a control socket, 0 if there is none.
func answering(socket string) (pid int) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}
