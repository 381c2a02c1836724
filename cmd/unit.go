// What the service manager refuses to the daemon: `ulogd doctor` asks systemd, since who runs it may do more than the
// service.

package cmd

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"kernel.org/pub/linux/libs/security/libcap/cap"

	"ulogd/engine"
	"ulogd/stacks"
)

const unitName = "ulogd.service"

// unit is what systemd says of the service, by the names of its settings.
type unit map[string]string

// unitOf returns the unit that runs the daemon with a configuration; nil if none does.
func unitOf(config string) unit {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil
	}
	text, err := exec.Command("systemctl", "show", unitName).Output()
	if err != nil {
		return nil
	}
	u := unit{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			u[name] = value
		}
	}
	if u["LoadState"] != "loaded" || absolute(u.config()) != absolute(config) {
		return nil
	}
	return u
}

// config is the file that the unit's command names, or the daemon finds without one.
func (u unit) config() string { return cmp.Or(u.argument("-c", "--configfile"), defaultConfig()) }

// user is who the daemon is when it runs; "" for root.
func (u unit) user() string { return cmp.Or(u["User"], u.argument("-u", "--uid")) }

// argument is what stands behind an option in the unit's command.
func (u unit) argument(short, long string) string {
	_, command, _ := strings.Cut(u["ExecStart"], "argv[]=")
	command, _, _ = strings.Cut(command, " ;")
	words := strings.Fields(command)
	for i, word := range words[:max(0, len(words)-1)] {
		if word == short || word == long {
			return words[i+1]
		}
	}
	return ""
}

// doctor says what the unit refuses of what the configuration needs.
func (u unit) doctor(d *engine.DoctorReport, plan *stacks.Plan) error {
	files := plan.Machine.Files()
	switch name := plan.Global.LogFile; name {
	case "", "stdout", "syslog":
	default:
		d.Of("[global]")
		u.file(d, name, true)
	}
	for _, f := range files {
		d.Of(f.Instance.String())
		u.file(d, f.Name, f.Use != engine.Reads)
	}
	return u.look(d, plan)
}

// look has the plugins look with the user and the capabilities of the unit, where that can be tried.
func (u unit) look(d *engine.DoctorReport, plan *stacks.Plan) error {
	who, err := findUser(u["User"])
	if err != nil || os.Geteuid() != 0 {
		return nil
	}
	var kept []cap.Value
	for _, name := range strings.Fields(u["AmbientCapabilities"]) {
		if c, err := cap.FromName(name); err == nil {
			kept = append(kept, c)
		}
	}
	d.User = u["User"]
	return who.look(kept, func() {
		doctorGlobal(d, &plan.Global)
		plan.Machine.Doctor(d)
	})
}

// file says what is in the way of a file (systemd.exec(5)).
func (u unit) file(d *engine.DoctorReport, path string, write bool) {
	at, what := place(path, mayRead)
	if at == "" || what&mayRead == 0 || path == os.DevNull {
		return
	}
	setting, why := "", ""
	switch {
	case u["PrivateTmp"] == "yes" && within(at, "/tmp", "/var/tmp"):
		setting, why = "PrivateTmp=yes", "the service has a "+at+" of its own, which nobody else sees"
	case u["ProtectHome"] != "no" && within(at, "/home", "/root", "/run/user"):
		setting, why = "ProtectHome="+u["ProtectHome"], "the service does not see it"
	case write && u.readOnly(at):
		setting, why = "ProtectSystem="+u["ProtectSystem"], "the service cannot write there"
	default:
		return
	}
	mend := "name a file below /var/log/ulogd, /var/lib/ulogd or /var/spool/ulogd"
	if strings.HasPrefix(setting, "ProtectSystem") {
		mend += fmt.Sprintf("; or: systemctl edit ulogd, with ReadWritePaths=%s below [Service]", at)
	}
	d.Find(fmt.Sprintf("%s is out of reach for %s: %s", path, unitName, setting), why, mend)
}

// readOnly reports whether ProtectSystem keeps the service from writing somewhere.
func (u unit) readOnly(at string) bool {
	writable := []string{"/dev", "/proc", "/sys"}
	for _, path := range strings.Fields(u["ReadWritePaths"]) {
		writable = append(writable, strings.TrimLeft(path, "-+"))
	}
	for setting, base := range map[string]string{
		"RuntimeDirectory": "/run", "StateDirectory": "/var/lib", "LogsDirectory": "/var/log", "CacheDirectory": "/var/cache",
	} {
		for _, name := range strings.Fields(u[setting]) {
			writable = append(writable, filepath.Join(base, name))
		}
	}
	system := []string{"/usr", "/boot", "/efi"}
	switch u["ProtectSystem"] {
	case "yes":
	case "full":
		system = append(system, "/etc")
	case "strict":
		system = []string{"/"}
	default:
		return false
	}
	return within(at, system...) && !within(at, writable...)
}

// within reports whether a path is one of some directories, or below it.
func within(path string, dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool {
		return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
	})
}
