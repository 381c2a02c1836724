// Collectors that move: a name is looked up again while a session of datagrams goes on, which would
// never notice.

package collector

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"
)

// resolver looks up the name of a link's collector again and again. It has nothing to do for an
// address.
type resolver struct {
	host  string // "": nothing is looked up
	every time.Duration

	asked  time.Time
	soon   bool // there is reason to believe that it has moved
	asking bool
	result chan []netip.Addr
}

// Resolve has the name of the link's only collector looked up every so often, and the session
// replaced when it does not lead to one of its addresses any more.
func (l *Connector) Resolve(host string, every time.Duration) {
	if _, err := netip.ParseAddr(host); err != nil && every > 0 {
		l.lookup = resolver{host: host, every: every, result: make(chan []netip.Addr, 1)}
	}
}

// look has the name looked up at once, if that was not done a moment ago.
func (l *Connector) look() { l.lookup.soon = true }

// moved reports whether a lookup has ended that tells another address than the session's, and
// begins one when it is due.
func (r *resolver) moved(l *Connector, now time.Time) bool {
	if r.host == "" {
		return false
	}
	if r.asking {
		select {
		case addrs := <-r.result:
			r.asking = false
			at := l.session.Ends().Remote.Addr()
			if len(addrs) > 0 && !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap().WithZone("") == at.WithZone("") }) {
				l.env.Log.Warn("collector "+l.Name()+" has another address", "before", at, "now", addrs[0].Unmap())
				return true
			}
		default:
		}
		return false
	}
	if r.asked.IsZero() { // the session has just looked
		r.asked = now
	}
	if since := now.Sub(r.asked); since < r.every && !(r.soon && since >= time.Second) {
		return false
	}
	r.asked, r.soon, r.asking = now, false, true
	host, result := r.host, r.result
	l.env.Go(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		addrs, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", host) // without an answer the session stays where it is
		result <- addrs
	})
	return false
}
