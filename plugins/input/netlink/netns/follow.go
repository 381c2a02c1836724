// A namespace that goes away and comes back: `ip netns del` and `ip netns add`, a container that is
// started anew. Who has a socket in it would read the dead one for ever, and keep it from being
// freed.

package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
)

const (
	// lookEvery is how often the name is looked at.
	lookEvery = time.Second
	// longestPause is the most between two attempts to work in a namespace that is there.
	longestPause = time.Minute
)

// A Follower keeps its user in the network namespace that a name stands for. All of it runs on the
// user's goroutine.
type Follower struct {
	Path string // "": the daemon's own, which does not go away
	Wait bool   // the namespace may be missing at the start, too
	// Quiet is for who stands behind an input in the same namespace, which says and counts all this
	// already.
	Quiet bool

	log     *slog.Logger
	absent  *engine.Counter
	used    identity // the namespace that is worked in; none while it is away
	leaving bool
	asked   bool // whether namespaces can be entered

	next  time.Time     // when to look again
	seen  time.Time     // when the namespace was there and in use
	total time.Duration // without it, so far
	retry time.Time     // when to try to enter it again
	pause time.Duration
	why   string // the last attempt failed
}

// identity is an inode of nsfs. It stands for one namespace as long as somebody, such as a socket,
// is in it.
type identity struct{ dev, ino uint64 }

// Options declares the settings; read is what is done in the namespace.
func (f *Follower) Options(o *engine.Options, read string) {
	o.String(&f.Path, "network_namespace_path", "", "file of the network namespace to "+read+
		", such as /run/netns/NAME; unset: the daemon's own. One that is deleted and made again is followed, which takes CAP_SYS_ADMIN: not with -u")
	o.Bool(&f.Wait, "wait", false, "start although the network namespace is missing, and wait for it")
}

// Open calls open in the namespace. Where it is missing that is an error or, with Wait, put off
// until it is there.
func (f *Follower) Open(env *engine.Env, open func() error) error {
	f.log, f.used, f.leaving = env.Log, identity{}, false
	if f.Quiet {
		f.log = slog.New(slog.DiscardHandler)
	}
	now := time.Now()
	if f.absent = (&engine.Counter{}); f.Path != "" && !f.Quiet {
		f.absent = env.Stats.Counter("namespace_absent_seconds", "time without the network namespace of network_namespace_path: what happened in it is not known")
	}
	err := f.enter(open)
	if f.Wait && errors.Is(err, errMissing) {
		f.log.Warn("the network namespace is not there yet; waiting for it", "network_namespace_path", f.Path)
		f.seen, err = now, nil
	}
	return err
}

// Away reports whether there is no namespace to work in.
func (f *Follower) Away() bool { return f.Path != "" && f.used == identity{} }

// Tick looks whether the name still stands for the same namespace. If not, it calls leave, again at
// each tick until that has left the old one and returns true; then, once the name stands for
// another, it calls open in that one.
func (f *Follower) Tick(now time.Time, leave func() (left bool), open func() error) {
	if f.Path == "" || now.Before(f.next) {
		return
	}
	f.next = now.Add(lookEvery)
	f.askRights()
	there, missing := identify(f.Path)
	switch {
	case f.Away():
	case f.leaving || there != f.used:
		if !f.leaving {
			f.leaving = true
			f.log.Warn("the network namespace has gone away; waiting until it is made again", "network_namespace_path", f.Path, "error", missing)
		}
		if !leave() {
			f.next = now
			return
		}
		f.leaving, f.used, f.retry, f.pause, f.why = false, identity{}, now, lookEvery, ""
	default:
		f.seen = now
		return
	}
	f.absent.Set(int64((f.total + now.Sub(f.seen)).Seconds()))
	if missing != nil || now.Before(f.retry) {
		return
	}
	if err := f.enter(open); err != nil {
		if f.pause = min(2*f.pause, longestPause); err.Error() != f.why {
			f.why = err.Error()
			f.log.Error("the network namespace is there and cannot be read; trying again", "network_namespace_path", f.Path, "error", err, "remedy", remedy(err))
		}
		f.retry = now.Add(f.pause)
		return
	}
	f.total += now.Sub(f.seen)
	f.log.Warn("the network namespace is there again", "network_namespace_path", f.Path, "without_it", now.Sub(f.seen).Round(time.Second).String())
	f.seen = now
}

// errMissing says that the name stands for no namespace.
var errMissing = errors.New("there is no network namespace")

// enter calls open in the namespace that the name stands for now.
func (f *Follower) enter(open func() error) error {
	if f.Path == "" {
		return open()
	}
	ns, err := os.OpenFile(f.Path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("network_namespace_path: %w: %w", err, errMissing)
	} else if err != nil {
		return fmt.Errorf("network_namespace_path: %w", err)
	}
	there, err := identityOf(int(ns.Fd()))
	if err != nil {
		ns.Close()
		return fmt.Errorf("network_namespace_path: %s: %w", f.Path, err)
	}
	if err := within(ns, open); err != nil {
		return err
	}
	f.used, f.seen = there, time.Now()
	return nil
}

// identify returns the namespace that a name stands for.
func identify(path string) (identity, error) {
	var system unix.Statfs_t
	var file unix.Stat_t
	if err := unix.Statfs(path, &system); err != nil {
		return identity{}, err
	}
	return judge(&system, &file, unix.Stat(path, &file))
}

func identityOf(fd int) (identity, error) {
	var system unix.Statfs_t
	var file unix.Stat_t
	if err := unix.Fstatfs(fd, &system); err != nil {
		return identity{}, err
	}
	return judge(&system, &file, unix.Fstat(fd, &file))
}

func judge(system *unix.Statfs_t, file *unix.Stat_t, err error) (identity, error) {
	if err != nil {
		return identity{}, err
	}
	if int64(system.Type) != unix.NSFS_MAGIC { // `ip netns add` first makes an empty file
		return identity{}, errMissing
	}
	return identity{uint64(file.Dev), file.Ino}, nil
}

// askRights says once, when the daemon has given up what it gives up, that a namespace could not be
// entered again.
func (f *Follower) askRights() {
	if f.asked {
		return
	}
	f.asked = true
	if !mayEnter() {
		f.log.Warn("the network namespace cannot be followed if it is deleted and made again: entering it takes CAP_SYS_ADMIN", "network_namespace_path", f.Path,
			"remedy", "restart the daemon whenever the namespace is made again, or run without -u")
	}
}

// mayEnter reports whether the process has CAP_SYS_ADMIN.
func mayEnter() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

func remedy(err error) string {
	if errors.Is(err, unix.EPERM) && !mayEnter() {
		return "restart the daemon: entering a namespace takes CAP_SYS_ADMIN, which it has given up with -u"
	}
	return "look at the error"
}
