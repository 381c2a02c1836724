// ulogd2, as Debian installs it.

package measure

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Ulogd2 is where the program and its plugins are.
type Ulogd2 struct{ Program, plugins string }

// FindUlogd2 returns an error where it is not installed.
func FindUlogd2() (u Ulogd2, err error) {
	if u.Program, err = exec.LookPath("ulogd"); err != nil {
		return u, err
	}
	folders, _ := filepath.Glob("/usr/lib/*/ulogd")
	if len(folders) == 0 {
		return u, errors.New("the plugins of ulogd2 are not installed")
	}
	u.plugins = folders[0]
	return u, nil
}

// Load returns the [global] section that loads plugins, named as their files are.
func (u Ulogd2) Load(plugins ...string) string {
	text := "[global]\n"
	for _, name := range plugins {
		text += fmt.Sprintf("plugin=%q\n", filepath.Join(u.plugins, "ulogd_"+name+".so"))
	}
	return text
}
