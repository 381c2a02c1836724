// Keeping one session up.

package collector

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/dial"
)

// A Connector keeps up a session with the first of its collectors that can be reached. It dials on a
// goroutine of the engine's; its methods are called from one goroutine at a time.
type Connector struct {
	env      *engine.Env
	dials    []Dial // by preference
	names    []string
	interval time.Duration

	session Session
	active  int       // index of the collector that the session leads to
	tried   time.Time // start of the last attempt
	up      time.Time // when the session came up
	renew   time.Duration
	dialing bool
	stale   bool // the attempt under way began before a Reset
	result  chan dialed
	failing bool // the last attempt failed, and the log says so
	made    *engine.Counter

	shunned []shun // by collector
	lookup  dial.Resolver
	source  *dial.Watch // nil: where sessions leave from is nobody's concern

	listened time.Time // when the kernel was last asked whether the collector hears
}

// A shun is how long a collector is left alone that took a session and then nothing.
type shun struct {
	until time.Time
	pause time.Duration
}

type dialed struct {
	session Session
	index   int
	err     error
}

// NewConnector makes a link to one collector, or to the first reachable one of several. It does not
// connect yet.
func NewConnector(env *engine.Env, interval time.Duration, names []string, dials ...Dial) *Connector {
	return &Connector{
		env: env, dials: dials, names: names, interval: interval, result: make(chan dialed, 1),
		made: env.Stats.Counter("sessions", "sessions with collectors that came up"), shunned: make([]shun, len(dials)),
	}
}

// Renew has a session replaced when it is older than d, 0: never. It goes on until the new one is
// there.
func (l *Connector) Renew(d time.Duration) { l.renew = d }

// Name says where the link leads.
func (l *Connector) Name() string { return strings.Join(l.names, " or ") }

// Poll returns the session, nil while there is none, and whether it is new. It starts an attempt to
// connect when one is due.
func (l *Connector) Poll(now time.Time) (s Session, fresh bool) {
	if l.dialing {
		select {
		case r := <-l.result:
			if fresh = l.took(r); fresh {
				l.up = now
			}
		default:
		}
	}
	if l.session == nil && !l.dialing && (l.tried.IsZero() || now.Sub(l.tried) >= l.interval) {
		l.dial(now, len(l.dials))
	}
	if l.session != nil && !l.dialing && (l.moved(now) || l.stranded(now) || l.unheard(now)) {
		l.dial(now, len(l.dials))
	}
	return l.session, fresh
}

// Resolve has the name of the link's only collector looked up every so often, and the session
// replaced when it does not lead to one of its addresses any more.
func (l *Connector) Resolve(host string, every time.Duration) {
	l.lookup = dial.NewResolver(host, every)
}

// moved reports whether the collector's name leads elsewhere.
func (l *Connector) moved(now time.Time) bool {
	before := l.session.Ends().Remote.Addr()
	to, moved := l.lookup.Moved(l.env, before, now)
	if moved {
		l.env.Log.Warn("collector "+l.Name()+" has another address", "before", before, "now", to)
	}
	return moved
}

// From has a session replaced whose own address is no longer this machine's.
func (l *Connector) From(s *dial.Settings) { l.source = &dial.Watch{Settings: s} }

// stranded reports whether the session leaves from an address that is gone.
func (l *Connector) stranded(now time.Time) bool {
	return l.source != nil && l.source.Stranded(l.session.Ends().Local.Addr(), now)
}

// begun notes where the new session leaves from, in place of the one that there may be.
func (l *Connector) begun(s Session) {
	now := s.Ends().Local.Addr()
	if l.source != nil {
		l.source.Begin(now)
	}
	if l.session == nil {
		return
	}
	if before := l.session.Ends().Local.Addr(); before != now {
		l.env.Log.Warn("what is sent to collector "+l.Name()+" leaves from another address",
			"before", before, "now", now)
	}
}

// Better starts an attempt to reach a collector that is preferred to the present one, or to renew a
// session that is too old, if an attempt is due. When it succeeds, Poll returns the new session as
// fresh; the old one is the caller's to close.
func (l *Connector) Better(now time.Time) {
	n := l.active
	for n > 0 && now.Before(l.shunned[n-1].until) {
		n--
	}
	if l.renew > 0 && now.Sub(l.up) >= l.renew {
		n = l.active + 1
	}
	if l.session != nil && n > 0 && !l.dialing && now.Sub(l.tried) >= l.interval {
		l.dial(now, n)
	}
}

// Dialing reports whether an attempt is under way.
func (l *Connector) Dialing() bool { return l.dialing }

// Failing reports whether the last attempt has failed.
func (l *Connector) Failing() bool { return l.failing }

// avoid has the present collector tried last for some time, each time longer: it took a session,
// and then nothing.
func (l *Connector) avoid(now time.Time) {
	s := &l.shunned[l.active]
	s.pause = min(max(2*s.pause, l.interval), maxShun)
	s.until = now.Add(s.pause)
	l.tried = time.Time{}
}

// maxShun bounds the time without the collector that is preferred.
const maxShun = 10 * time.Minute

// dial tries the first n collectors in their order, those that are avoided last.
func (l *Connector) dial(now time.Time, n int) {
	l.tried, l.dialing = now, true
	var order, last []int
	for i := range n {
		if now.Before(l.shunned[i].until) {
			last = append(last, i)
		} else {
			order = append(order, i)
		}
	}
	order = append(order, last...)
	dials, result := l.dials, l.result
	l.env.Go(func(ctx context.Context) {
		var errs []error
		for _, i := range order {
			s, err := dials[i](ctx)
			if err == nil {
				if ctx.Err() != nil { // nobody will come for it
					s.Close()
					return
				}
				result <- dialed{session: s, index: i}
				return
			}
			errs = append(errs, err)
		}
		result <- dialed{err: errors.Join(errs...)}
	})
}

func (l *Connector) took(r dialed) (fresh bool) {
	l.dialing = false
	if l.stale {
		l.stale = false
		if r.session != nil {
			r.session.Close()
		}
		l.tried = time.Time{}
		return false
	}
	if r.err != nil {
		if l.session == nil {
			l.env.Stats.Peer(l.Name()).Down(r.err)
		}
		if !l.failing && l.session == nil {
			l.failing = true
			l.env.Limited().Warn("connect to collector "+l.Name()+": retrying", "error", r.err, "interval", l.interval)
		}
		return false
	}
	l.failing = false
	l.begun(r.session)
	l.session, l.active = r.session, r.index
	l.env.Own.Add(l.session.Ends())
	l.made.Add(1)
	l.env.Limited().Info("session with collector "+l.names[r.index]+" is up", "local", l.session.Ends().Local, "remote", l.session.Ends().Remote)
	return true
}

// Break gives up the session.
func (l *Connector) Break(err error) {
	if l.session == nil {
		return
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("closed by the collector")
	}
	if err != nil {
		l.env.Limited().Warn("session with collector "+l.names[l.active]+" broke", "error", err)
	}
	l.session.Close()
	l.session = nil
}

// Reset gives up the session and has the next Poll connect anew, whenever the last attempt was: the
// operator asked for it.
func (l *Connector) Reset() {
	l.Break(nil)
	l.tried, l.stale = time.Time{}, l.dialing
}

// Close ends the session and an attempt under way.
func (l *Connector) Close() error {
	if l.dialing {
		select {
		case r := <-l.result:
			if r.session != nil {
				r.session.Close()
			}
		default:
		}
	}
	if l.session == nil {
		return nil
	}
	err := l.session.Close()
	l.session = nil
	return err
}

// Due returns when the next attempt to connect may begin.
func (l *Connector) Due() time.Time { return l.tried.Add(l.interval) }
