// Giving up root: -u.

package cmd

import (
	"fmt"
	"os/user"
	"strconv"

	"kernel.org/pub/linux/libs/security/libcap/cap"
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

// become switches every thread to the user and keeps CAP_NET_ADMIN alone: conntrack and counter dumps are refused without it.
func (a *account) become() error {
	if err := cap.SetGroups(a.gid, a.groups...); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := cap.SetUID(a.uid); err != nil {
		return fmt.Errorf("set user: %w", err)
	}
	keep := cap.NewSet()
	for _, v := range []cap.Flag{cap.Permitted, cap.Effective} {
		if err := keep.SetFlag(v, true, cap.NET_ADMIN); err != nil {
			return err
		}
	}
	return keep.SetProc()
}
