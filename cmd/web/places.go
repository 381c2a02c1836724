// The places of the listener: who keeps one and asks nothing has to go when another comes.

package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"sync"
)

// places is a listener that bounds how many are connected. When all places are taken, the one who has been there for
// longest without being answered loses his, be it that he says nothing, or his request octet by octet.
type places struct {
	net.Listener
	max int

	mu      sync.Mutex
	taken   int
	waiting []*place // in the order in which they began to wait
}

// place is a connection.
type place struct {
	net.Conn
	of      *places
	answers int // requests that are being answered; HTTP/2 has several
	gone    bool
}

// Accept implements net.Listener.
func (p *places) Accept() (net.Conn, error) {
	for {
		c, err := p.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if at := p.enter(c); at != nil {
			return at, nil
		}
		c.Close()
	}
}

// enter gives a connection a place; nil if all are being answered.
func (p *places) enter(c net.Conn) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.max {
		if len(p.waiting) == 0 {
			return nil
		}
		p.waiting[0].leave()
	}
	at := &place{Conn: c, of: p}
	p.taken++
	p.waiting = append(p.waiting, at)
	return at
}

// Close implements net.Conn.
func (at *place) Close() error {
	at.of.mu.Lock()
	defer at.of.mu.Unlock()
	return at.leave()
}

// leave is Close for who holds the lock.
func (at *place) leave() error {
	if !at.gone {
		at.gone = true
		at.of.taken--
		at.wait(false)
	}
	return at.Conn.Close()
}

// wait notes whether the connection waits for its next request.
func (at *place) wait(waits bool) {
	all := &at.of.waiting
	*all = slices.DeleteFunc(*all, func(other *place) bool { return other == at })
	if waits && !at.gone {
		*all = append(*all, at)
	}
}

// answer notes that one more, or one less, of the connection's requests is being answered.
func (at *place) answer(more int) {
	at.of.mu.Lock()
	defer at.of.mu.Unlock()
	at.answers += more
	at.wait(at.answers == 0)
}

type placeKey struct{}

// remember has each request know its place.
func remember(ctx context.Context, c net.Conn) context.Context {
	if encrypted, ok := c.(*tls.Conn); ok {
		c = encrypted.NetConn()
	}
	return context.WithValue(ctx, placeKey{}, c)
}

// seated notes how long each request is being answered.
func seated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if at, ok := r.Context().Value(placeKey{}).(*place); ok {
			at.answer(1)
			defer at.answer(-1)
		}
		next.ServeHTTP(rw, r)
	})
}
