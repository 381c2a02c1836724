// Connecting, and writing without forgetting the end of the daemon.

package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"ulogd/engine"
)

// tooSoon is the age below which a connection that broke is not made again at once: its peer may accept and close in turn.
const tooSoon = 500 * time.Millisecond

// connect starts to connect, unless that is under way.
func (p *Peer) connect() {
	if p.asking {
		return
	}
	p.asking = true
	var first time.Duration
	if time.Since(p.since) < tooSoon {
		first = tooSoon
	}
	p.env.Go(func(ctx context.Context) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(first):
		}
		pause, complained := firstPause, time.Time{}
		for {
			l, err := p.dial(ctx)
			if err == nil {
				p.dialed <- l
				return
			}
			if now := time.Now(); now.Sub(complained) >= complainEvery && ctx.Err() == nil {
				complained = now
				p.env.Log.Error("cannot connect; trying again", "peer", p.Address, "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, longestPause)
		}
	})
}

// dial connects by the first network that works.
func (p *Peer) dial(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var all error
	for network := range strings.SplitSeq(p.Network, ",") {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, p.Address)
		if err != nil {
			all = errors.Join(all, err)
			continue
		}
		p.own(network, conn)
		conn = &patient{conn, p.env}
		if p.TLS != nil {
			t := tls.Client(conn, p.TLS)
			if err := t.HandshakeContext(ctx); err != nil {
				conn.Close()
				return nil, err
			}
			conn = t
		}
		return &link{Conn: conn, datagrams: network == "udp" || network == "unixgram"}, nil
	}
	return nil, all
}

// own says that the session is the daemon's, for inputs that are to leave it out.
func (p *Peer) own(network string, conn net.Conn) {
	protocol := map[string]uint8{"tcp": 6, "udp": 17}[network]
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	remote, err2 := netip.ParseAddrPort(conn.RemoteAddr().String())
	if protocol != 0 && err == nil && err2 == nil {
		p.env.Own.Add(engine.Session{Protocol: protocol, Local: local, Remote: remote})
	}
}

// patient is a connection whose writes wait for a peer that does not read, but not beyond the shutdown timeout, and not for one that takes nothing at all.
type patient struct {
	net.Conn
	env *engine.Env
}

// stuckAfter is how long a peer may take nothing before the connection is given up.
const stuckAfter = 30 * time.Second

// Write writes all of b.
func (c *patient) Write(b []byte) (n int, err error) {
	progress := time.Now()
	for {
		c.SetWriteDeadline(time.Now().Add(waitSlice))
		m, err := c.Conn.Write(b[n:])
		n += m
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		now := time.Now()
		if m > 0 {
			progress = now
		}
		if end := c.env.Deadline(); !end.IsZero() && now.After(end) || now.Sub(progress) > stuckAfter {
			return n, err
		}
	}
}
