// A namespace that goes away and comes back: `ip netns del` and `ip netns add`, a container that is
// started anew. Who has a socket in it would read the dead one for ever, and keep it from being
// freed.

package netns

import (
	"errors"
	"log/slog"
	"sync/atomic"
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

	env     *engine.Env
	log     *slog.Logger
	absent  *engine.Counter
	used    identity // the namespace that is worked in; none while it is away
	entered uint32   // its inode number, which nsfs has 32 bits for; accessed atomically
	leaving bool
	asked   bool // whether namespaces can be entered

	next  time.Time     // when to look again
	seen  time.Time     // when the namespace was there and in use
	total time.Duration // without it, so far
	retry time.Time     // when to try to enter it again
	pause time.Duration
	why   string // the last attempt failed
}

// Options declares the settings; read is what is done in the namespace.
func (f *Follower) Options(o *engine.Options, read string) {
	f.Option(o, read)
	o.Bool(&f.Wait, "wait", false, "start although the network namespace is missing, and wait for it")
}

// Option declares network_namespace_path alone, for who has more to wait for.
func (f *Follower) Option(o *engine.Options, read string) {
	o.String(&f.Path, "network_namespace_path", "", "file of the network namespace to "+read+
		", such as /run/netns/NAME; unset: the daemon's own. One that is deleted and made again is followed, which takes CAP_SYS_ADMIN: not with -u")
	o.Reads("network_namespace_path")
}

// Open calls open in the namespace. Where it is missing that is an error or, with Wait, put off
// until it is there.
func (f *Follower) Open(env *engine.Env, open func() error) error {
	f.env, f.log, f.leaving = env, env.Log, false
	f.use(identity{})
	now := time.Now()
	if f.Path != "" {
		f.absent = env.Stats.Counter("namespace_absent_seconds", "time without the network namespace of network_namespace_path: what happened in it is not known")
	}
	err := f.enter(open)
	if f.Wait && errors.Is(err, errMissing) {
		f.log.Warn("the network namespace is not there yet; waiting for it", "network_namespace_path", f.Path)
		env.Away("the network namespace " + f.Path + " is not there")
		f.seen, err = now, nil
	}
	return err
}

// use notes the namespace that is worked in.
func (f *Follower) use(it identity) {
	f.used = it
	atomic.StoreUint32(&f.entered, uint32(it.ino))
}

// Entered returns the inode number of the namespace that is worked in; 0 while there is none, and
// where it is the daemon's own. Any goroutine may call it.
func (f *Follower) Entered() uint64 { return uint64(atomic.LoadUint32(&f.entered)) }

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
			f.env.Away("the network namespace " + f.Path + " is not there")
		}
		if !leave() {
			f.next = now
			return
		}
		f.use(identity{})
		f.leaving, f.retry, f.pause, f.why = false, now, lookEvery, ""
	default:
		f.seen = now
		return
	}
	f.absent.Set(int64((f.total + now.Sub(f.seen)).Seconds()))
	if missing != nil || now.Before(f.retry) {
		return
	}
	f.env.Away("") // unless open says so
	if err := f.enter(open); err != nil {
		f.env.Away("the network namespace " + f.Path + " cannot be read: " + err.Error())
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

// enter calls open in the namespace that the name stands for now.
func (f *Follower) enter(open func() error) error {
	if f.Path == "" {
		return open()
	}
	there, err := enter(f.Path, open)
	if err != nil {
		return err
	}
	f.use(there)
	f.seen = time.Now()
	return nil
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
