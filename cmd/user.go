// Giving up root: -u.

package cmd

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"ulogd/engine"
)

// account is the user that -u names.
type account struct {
	uid, gid int
	groups   []int
}

// findUser looks a user up by name; numbers are refused, as by ulogd2.
func findUser(name string) (*account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("unknown user %s", name)
	}
	a := &account{}
	if a.uid, err = strconv.Atoi(u.Uid); err != nil {
		return nil, err
	}
	if a.gid, err = strconv.Atoi(u.Gid); err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			a.groups = append(a.groups, n)
		}
	}
	return a, nil
}

// become switches every thread to the user, who keeps some capabilities.
func (a *account) become(kept []cap.Value) error {
	if err := renounce(kept); err != nil {
		return err
	}
	if err := cap.SetGroups(a.gid, a.groups...); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := cap.SetUID(a.uid); err != nil {
		return fmt.Errorf("set user: %w", err)
	}
	keep := cap.NewSet()
	for _, v := range []cap.Flag{cap.Permitted, cap.Effective} {
		if err := keep.SetFlag(v, true, kept...); err != nil {
			return err
		}
	}
	return keep.SetProc()
}

// renounce gives up for good what a program that this one starts, or a set-user-ID file, could give back. The bounding
// set is emptied where that is allowed, which it may not be in a container; no_new_privs is enough there.
func renounce(kept []cap.Value) error {
	may, err := cap.GetProc().GetFlag(cap.Effective, cap.SETPCAP)
	if err != nil {
		return err
	}
	for c := cap.Value(0); may && c < cap.MaxBits(); c++ {
		if slices.Contains(kept, c) {
			continue
		}
		if err := cap.DropBound(c); err != nil {
			return fmt.Errorf("drop %s from the bounding set: %w", c, err)
		}
	}
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}

// needed are the capabilities of a daemon that has given up root: CAP_NET_ADMIN, without which conntrack and counter dumps
// are refused, and what instances need besides it.
func needed(m *engine.Machine) []cap.Value {
	kept := []cap.Value{cap.NET_ADMIN}
	for _, c := range m.Capabilities() {
		kept = append(kept, cap.Value(c))
	}
	return kept
}

// look runs f with the rights that the daemon will have as the user, on a thread of its own: what cap changes in such a
// function holds for that thread alone.
func (a *account) look(kept []cap.Value, f func()) error {
	_, err := cap.FuncLauncher(func(any) error {
		if err := a.become(kept); err != nil {
			return err
		}
		f()
		return nil
	}).Launch(nil)
	return err
}
