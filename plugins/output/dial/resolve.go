// Peers that move: a name is looked up again while a session of datagrams goes on, which would never notice.

package dial

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"ulogd/engine"
)

// A Resolver looks up a name again and again. Its zero value, and one for an address, has nothing to do. It is used
// from one goroutine at a time.
type Resolver struct {
	host  string // "": nothing is looked up
	every time.Duration

	asked  time.Time
	soon   bool // there is reason to believe that it has moved
	asking bool
	result chan []netip.Addr
}

// NewResolver returns what looks up a host every so often; 0: never.
func NewResolver(host string, every time.Duration) Resolver {
	if _, err := netip.ParseAddr(host); err == nil || every <= 0 {
		return Resolver{}
	}
	return Resolver{host: host, every: every, result: make(chan []netip.Addr, 1)}
}

// lookupTimeout bounds one look.
const lookupTimeout = 10 * time.Second

// Soon has the name looked up at once, if that was not done a moment ago.
func (r *Resolver) Soon() { r.soon = true }

// Moved reports whether a lookup has ended that tells other addresses than the session's, and the first of these. It
// begins one when it is due.
func (r *Resolver) Moved(env *engine.Env, at netip.Addr, now time.Time) (to netip.Addr, moved bool) {
	if r.host == "" {
		return to, false
	}
	if r.asking {
		select {
		case addrs := <-r.result:
			r.asking = false
			same := func(a netip.Addr) bool { return a.Unmap().WithZone("") == at.Unmap().WithZone("") }
			if len(addrs) > 0 && !slices.ContainsFunc(addrs, same) {
				return addrs[0].Unmap(), true
			}
		default:
		}
		return to, false
	}
	if r.asked.IsZero() { // the session has just looked
		r.asked = now
	}
	if since := now.Sub(r.asked); since < r.every && !(r.soon && since >= time.Second) {
		return to, false
	}
	r.asked, r.soon, r.asking = now, false, true
	host, result := r.host, r.result
	env.Go(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		addrs, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", host) // without an answer the session stays where it is
		result <- addrs
	})
	return to, false
}
