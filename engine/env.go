// What the engine offers to an instance that is open: log, counters, goroutines, the daemon's own
// traffic.

package engine

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Env is what the engine offers to an instance.
type Env struct {
	ID    string       // of the instance, as the configuration names it
	Log   *slog.Logger // names the instance and its plugin
	Stats *Stats
	// Own is where outputs enter their sessions, so that inputs can leave out the traffic that
	// exporting makes.
	Own *OwnTraffic

	m       *Machine
	pulse   *pulse // of the instance
	limited struct {
		once sync.Once
		log  *LimitedLog
	}
	stopBy  moment // set once the instance is taken out of a running daemon
	flushBy moment // set once it flushes
	until   context.Context
	expire  context.CancelFunc // ends until
	tasks   tasks
}

func newEnv(m *Machine, inst *Instance) *Env {
	e := &Env{ID: inst.ID, Log: slog.Default(), Stats: inst.Stats, Own: &OwnTraffic{}, pulse: &inst.pulse}
	e.until, e.expire = context.WithCancel(context.Background())
	e.tasks.ctx, e.tasks.cancel = context.WithCancel(context.Background())
	if m != nil {
		e.m, e.Log, e.Own = m, m.log.With("id", inst.ID, "plugin", inst.Plugin.Name), m.own
	}
	return e
}

// Limited returns the instance's log for trouble that may last or come back.
func (e *Env) Limited() *LimitedLog {
	e.limited.once.Do(func() { e.limited.log = NewLimitedLog(e.Log) })
	return e.limited.log
}

// Go runs f on a goroutine of the engine's, for what may take long and must not stop the records,
// such as connecting. The context ends when the instance is closed; f must then return. f shares
// nothing with the instance but channels or atomics.
func (e *Env) Go(f func(ctx context.Context)) { e.tasks.run(f) }

// Until returns a context that ends at the Deadline, whenever that is set.
func (e *Env) Until() context.Context {
	if e.until == nil {
		return context.Background()
	}
	return e.until
}

// Deadline returns the time by which a Flush must be over: what is not out by then is dropped and
// counted. It is zero while the daemon runs.
func (e *Env) Deadline() time.Time {
	if e.m == nil {
		return time.Time{}
	}
	return first(&e.m.deadline, &e.stopBy, &e.flushBy)
}

// Waits says that the instance waits for somebody else, such as the reader of a pipe: it stands still,
// and is well. Who waits says so again every second at least.
func (e *Env) Waits() {
	if e.pulse != nil {
		e.pulse.turned.set(time.Now())
	}
}

// Away says that what an input reads is not there, such as an interface, and why; "" that it is again.
// The input is then down, though nothing has failed: it waits.
func (e *Env) Away(why string) {
	switch {
	case e.pulse == nil:
	case why == "":
		e.pulse.away.Store(nil)
	default:
		e.pulse.away.Store(&why)
	}
}

// StopBy returns the time by which an operator who has asked the daemon, or this instance, to end
// wants it over; zero while nobody has. Inputs that come to their end by themselves set none.
func (e *Env) StopBy() time.Time {
	if e.m == nil {
		return time.Time{}
	}
	return first(&e.m.deadline, &e.stopBy)
}

// Lost returns what never arrived, as far as all instances of the daemon know: records that the
// kernel or a device could not deliver.
func (e *Env) Lost() (n int64) {
	for _, inst := range e.m.instances() {
		n += inst.Stats.snapshot().Lost
	}
	return n
}

// tasks are the goroutines that instances asked for.
type tasks struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (t *tasks) run(f func(context.Context)) {
	t.wg.Go(func() { f(t.ctx) })
}

// A SocketPair is one connection or socket pair of the daemon's own.
type SocketPair struct {
	Protocol      uint8 // IP protocol number
	Local, Remote netip.AddrPort
}

// OwnTraffic knows the daemon's own sessions.
type OwnTraffic struct {
	mu   sync.Mutex
	list atomic.Pointer[[]OwnTuple]
}

// OwnTuple is a session in the form that inputs compare records with, either direction.
type OwnTuple struct {
	Protocol              uint8
	LocalPort, RemotePort uint16
	Local, Remote         Addr
}

// Add enters a session.
func (o *OwnTraffic) Add(s SocketPair) {
	o.change(func(l []OwnTuple) []OwnTuple { return append(l, tupleOf(s)) })
}

// Remove takes a session out. Flows of a closed session may still be reported, so callers remove
// late or never.
func (o *OwnTraffic) Remove(s SocketPair) {
	o.change(func(l []OwnTuple) []OwnTuple {
		if i := slices.Index(l, tupleOf(s)); i >= 0 {
			return slices.Delete(l, i, i+1)
		}
		return l
	})
}

// Tuples returns the sessions as of now; the slice is not changed afterwards.
func (o *OwnTraffic) Tuples() []OwnTuple {
	if l := o.list.Load(); l != nil {
		return *l
	}
	return nil
}

// maxOwn bounds the memory of past sessions: an output that reconnects for a year must not fill it.
const maxOwn = 64

func (o *OwnTraffic) change(f func([]OwnTuple) []OwnTuple) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := f(slices.Clone(o.Tuples()))
	if len(l) > maxOwn {
		l = l[len(l)-maxOwn:]
	}
	o.list.Store(&l)
}

func tupleOf(s SocketPair) OwnTuple {
	return OwnTuple{
		Protocol:  s.Protocol,
		LocalPort: s.Local.Port(), RemotePort: s.Remote.Port(),
		Local: AddrFrom(s.Local.Addr().Unmap()), Remote: AddrFrom(s.Remote.Addr().Unmap()),
	}
}
