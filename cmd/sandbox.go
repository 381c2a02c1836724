// The sandbox: once everything is open the daemon gives up for good what it does not need, so that
// whoever takes it over can do little: programs, and files but those that the configuration names.

package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"ulogd/engine"
	"ulogd/stacks"
)

// What the kernel is asked to refuse: all that it knew to refuse of files in its third version (Linux 6.2). Sockets,
// which later ones can refuse too, are what the daemon is there for.
const (
	mayRead  = ll.AccessFSReadFile | ll.AccessFSReadDir
	mayWrite = mayRead | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSRemoveFile | ll.AccessFSMakeReg |
		ll.AccessFSMakeSock | ll.AccessFSMakeFifo
	mayFill = mayWrite | ll.AccessFSMakeDir | ll.AccessFSRemoveDir
	refused = mayFill | ll.AccessFSExecute | ll.AccessFSMakeChar | ll.AccessFSMakeBlock | ll.AccessFSMakeSym |
		ll.AccessFSRefer
)

// libraries is what they read while the daemon runs: names of hosts, services and users, time zones, authorities, and
// what the kernel says. Of what is replaced by renaming, the directory has to be readable.
var libraries = []string{
	"/etc", "/usr/share/zoneinfo", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/proc",
	"/sys/fs/cgroup",
}

// homes are the daemon's own directories, where they are: a reload may use them, whatever the start did.
var homes = []string{"/var/log/ulogd", "/var/lib/ulogd", "/var/spool/ulogd"}

// reach is where a configuration leads, by what may be done there. A path is a directory, or a device.
type reach map[string]landlock.AccessFSSet

// add notes that something is to be done with a file, or in a directory.
func (r reach) add(path string, what landlock.AccessFSSet) {
	path, what = place(path, what)
	if path != "" {
		r[path] |= what
	}
}

// place finds where a right has to be given for a file, which need not be there: in its directory, or in the nearest
// above it that is there. A device stands for itself: what is beside it is nobody's business.
func place(path string, what landlock.AccessFSSet) (string, landlock.AccessFSSet) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", 0
	}
	if i := strings.IndexAny(path, "*?["); i >= 0 { // a glob
		path = path[:i]
	}
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to
	}
	fi, err := os.Lstat(path)
	switch {
	case strings.HasPrefix(path, "/proc/") && err != nil:
		return "", 0 // a pipe or a socket that the daemon has got, such as /dev/stdout
	case err == nil && fi.Mode()&os.ModeDevice != 0:
		return path, what & (ll.AccessFSReadFile | ll.AccessFSWriteFile)
	case err == nil && fi.IsDir():
		return path, what
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if to, err := filepath.EvalSymlinks(dir); err == nil {
			return to, what
		}
	}
}

// covers reports whether all of a right is given at a place, or above it.
func (r reach) covers(path string, what landlock.AccessFSSet) bool {
	var given landlock.AccessFSSet
	for at, may := range r {
		if within(path, at) {
			given |= may
		}
	}
	return what&^given == 0
}

// rights are what becomes of files in landlock's words.
var rights = map[engine.Use]landlock.AccessFSSet{
	engine.Reads: mayRead, engine.Writes: mayWrite, engine.Fills: mayFill,
}

// reachOf is where the daemon has to get to with these settings, after the start.
func (p *process) reachOf(g *stacks.Global, m *engine.Machine) reach {
	r := reach{}
	for _, path := range libraries {
		if _, err := os.Stat(path); err == nil {
			r.add(path, mayRead)
		}
	}
	for _, path := range homes {
		if _, err := os.Stat(path); err == nil {
			r.add(path, mayFill)
		}
	}
	for _, path := range []string{"/etc/resolv.conf", "/etc/localtime", p.config} { // which may be links
		r.add(path, mayRead)
	}
	r.add(os.DevNull, mayWrite)
	switch g.LogFile {
	case "", "stdout", "syslog":
	default:
		r.add(g.LogFile, mayWrite)
	}
	for _, path := range []string{g.HTTP.TokenFile, g.HTTP.Cert, g.HTTP.Key, g.HTTP.ClientCA} {
		if path != "" {
			r.add(path, mayRead)
		}
	}
	if path, ok := g.HTTP.Unix(); ok {
		r.add(path, ll.AccessFSRemoveFile|ll.AccessFSMakeSock)
	}
	if p.control != nil {
		r.add(p.control.path, ll.AccessFSRemoveFile|ll.AccessFSMakeSock)
	}
	if p.pid != nil {
		r.add(p.pid.path, ll.AccessFSRemoveFile)
	}
	for _, f := range m.Files() {
		r.add(f.Name, rights[f.Use])
	}
	return r
}

// sandbox is what the daemon has kept; nil where it is not shut in.
type sandbox struct{ kept reach }

// confine gives up what is not needed any more. The stacks are open, and nothing else runs yet.
func (p *process) confine() error {
	g := &p.plan.Global
	if g.Sandbox == "off" || p.opts.adhoc != nil {
		return nil
	}
	if err := renounce(p.keptCapabilities()); err != nil {
		return p.unconfined(err)
	}
	if err := cap.ResetAmbient(); err != nil {
		return p.unconfined(fmt.Errorf("clear the ambient capabilities: %w", err))
	}
	version, err := ll.LandlockGetABIVersion()
	if err != nil || version < 1 {
		return p.unconfined(errNoLandlock)
	}
	kept := p.reachOf(g, p.plan.Machine)
	var rules []landlock.Rule
	for path, what := range kept {
		rules = append(rules, landlock.PathAccess(what, path))
	}
	config := landlock.Config{HandledAccessFS: refused}
	if err := config.BestEffort().RestrictPaths(rules...); err != nil {
		return p.unconfined(err)
	}
	p.sandbox = &sandbox{kept}
	p.inform("sandbox: programs are refused, and all files but those of the stacks", "landlock", version)
	p.log.Info("sandbox: what may be opened", "read", kept.where(ll.AccessFSReadFile), "write",
		kept.where(ll.AccessFSWriteFile))
	return nil
}

// errNoLandlock is why there is no sandbox on many an older machine.
var errNoLandlock = fmt.Errorf("this kernel has no landlock, or it is not switched on (CONFIG_SECURITY_LANDLOCK, " +
	"lsm=landlock,...)")

// unconfined says that the daemon is not shut in, which it is where that was required.
func (p *process) unconfined(err error) error {
	if p.plan.Global.Sandbox == "require" {
		return fmt.Errorf("sandbox = require: %w", err)
	}
	p.inform("sandbox: the daemon may open what its user may", "why", err)
	return nil
}

// keptCapabilities are those that a program could be given back: none, but to who has changed the user, and keeps them
// anyway.
func (p *process) keptCapabilities() []cap.Value {
	if p.opts.user == "" {
		return nil
	}
	return needed(p.plan.Machine)
}

// where lists the places at which a right is given.
func (r reach) where(what landlock.AccessFSSet) string {
	var list []string
	for path, may := range r {
		if may&what != 0 {
			list = append(list, path)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// lacks says what a plan would need that the sandbox has not kept.
func (s *sandbox) lacks(m *engine.Machine) (all []engine.NamedFile) {
	if s == nil {
		return nil
	}
	for _, f := range m.Files() {
		if path, what := place(f.Name, rights[f.Use]); path != "" && !s.kept.covers(path, what) {
			all = append(all, f)
		}
	}
	return all
}
