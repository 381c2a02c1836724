// Package peer sends records to another program over a network connection that is kept up: TCP,
// TLS, UDP or a Unix socket.
//
// Of what a broken stream took of a record the rest is not sent: on the next connection it begins
// anew, so that the peer never sees the end of a record alone. An error of a datagram costs that
// datagram.
package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/plugins/output/dial"
	"ulogd/plugins/output/sink"
)

// A Peer is where records are sent. The exported fields are settings; it is a [sink.Target].
type Peer struct {
	Network string        // tcp, udp, unix or unixgram, or a choice "unixgram,unix": the first that works
	Address string        // host:port, or a path
	From    dial.Settings // over tcp and udp
	security

	sink.Server
	env              *engine.Env
	lookup           dial.Resolver
	source           dial.Watch
	octets           *engine.Counter
	failed, tooLarge *engine.Drop
}

// Open starts to connect.
func (p *Peer) Open(b *sink.Buffer) error {
	p.env = b.Env
	if err := p.read(); err != nil {
		return err
	}
	p.octets = b.Env.Stats.Counter("sent_octets", "octets sent")
	p.failed = b.Env.Stats.Drop("send_error", "records that could not be sent, such as when no process reads the port")
	p.tooLarge = b.Env.Stats.Drop("too_large", "records that do not fit into a datagram")
	p.Name, p.Connect = p.Address, p.dial
	p.source.Settings = &p.From
	if p.Network == "udp" { // streams break when somebody else has the address
		host, _, _ := net.SplitHostPort(p.Address)
		p.lookup, p.Pause, p.Unsure = dial.NewResolver(host, resolveEvery), retryUDP, true
	}
	return p.Server.Open(b)
}

// Reopen reads certificates and keys again, and makes a new connection.
func (p *Peer) Reopen() {
	if err := p.read(); err != nil {
		p.env.Log.Error("certificates cannot be read again; the old ones stay in use", "peer", p.Address, "error", err)
	}
	p.Server.Reopen()
}

// dial connects by the first network that works.
func (p *Peer) dial(ctx context.Context, env *engine.Env) (sink.Conn, error) {
	var all error
	for network := range strings.SplitSeq(p.Network, ",") {
		conn, err := p.From.Dial(ctx, network, p.Address)
		if err != nil {
			all = errors.Join(all, err)
			continue
		}
		own(env, network, conn)
		conn, err = p.secure(ctx, &patient{conn, env})
		if err != nil {
			return nil, err
		}
		l := &connection{Conn: conn, peer: p, udp: network == "udp", datagrams: network == "udp" || network == "unixgram"}
		l.local, l.remote = addressOf(conn.LocalAddr()), addressOf(conn.RemoteAddr())
		if !l.datagrams {
			l.watch(env)
		}
		return l, nil
	}
	return nil, all
}

// Capabilities says what the daemon must keep under -u.
func (p *Peer) Capabilities() []int { return p.From.Capabilities() }

// own says that the session is the daemon's, for inputs that are to leave it out.
func own(env *engine.Env, network string, conn net.Conn) {
	protocol := map[string]uint8{"tcp": ipproto.TCP, "udp": ipproto.UDP}[network]
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	remote, err2 := netip.ParseAddrPort(conn.RemoteAddr().String())
	if protocol != 0 && err == nil && err2 == nil {
		env.Own.Add(engine.SocketPair{Protocol: protocol, Local: local, Remote: remote})
	}
}

// connection is one to a peer.
type connection struct {
	net.Conn
	peer           *Peer
	datagrams, udp bool
	dead           atomic.Bool // the peer has closed
	local, remote  netip.Addr  // not valid of local sockets
	begun          bool        // it was noted where it leaves from
}

// watch reads: the peer has nothing to say, but so it is seen to go before records are written to
// nobody.
func (l *connection) watch(env *engine.Env) {
	env.Go(func(ctx context.Context) {
		stop := context.AfterFunc(ctx, func() { l.Conn.Close() })
		defer stop()
		io.Copy(io.Discard, l.Conn)
		l.dead.Store(true)
	})
}

var errClosed = errors.New("the peer has closed the connection")

// Gone implements sink.Conn.
func (l *connection) Gone() error {
	if l.dead.Load() {
		return errClosed
	}
	if !l.local.IsValid() {
		return nil
	}
	p, now := l.peer, time.Now()
	if !l.begun {
		l.begun = true
		p.source.Begin(l.local)
	}
	if p.source.Stranded(l.local, now) {
		return fmt.Errorf("%s, from which it is sent, is no longer an address of this machine", l.local)
	}
	if to, moved := p.lookup.Moved(p.env, l.remote, now); moved {
		return fmt.Errorf("the peer's name leads to %s, and no longer to %s", to, l.remote)
	}
	return nil
}

// addressOf returns the IP address of an end of a connection; one that is not valid where it has none.
func addressOf(a net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

const (
	// resolveEvery is how often the name of a peer that takes datagrams is looked up.
	resolveEvery = time.Minute
	// retryUDP is how soon it is tried again to send a datagram: that costs nobody anything.
	retryUDP = time.Second
)

// Send implements sink.Conn.
func (l *connection) Send(_ context.Context, r sink.Records) (n int, err error) {
	if l.datagrams {
		for n < r.Len() {
			if err := l.datagram(r.At(n), n == 0 && r.Tries > 0); err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	octets, err := l.Conn.Write(r.Data)
	l.peer.octets.Add(octets)
	for n < r.Len() && r.Ends[n] <= octets {
		n++
	}
	return n, err
}

// datagram sends one record. The last try is the second: a receiver that was restarted has a new
// socket. What over UDP cannot be sent now, for want of a route or by a firewall's rule, waits for a new socket that
// can, however long that takes.
func (l *connection) datagram(record []byte, last bool) error {
	n, err := l.Conn.Write(record)
	switch {
	case err == nil:
		l.peer.octets.Add(n)
		return nil
	case errors.Is(err, syscall.EMSGSIZE):
		return &sink.Refused{Err: err, Drop: l.peer.tooLarge}
	case l.udp && errors.Is(err, syscall.ECONNREFUSED):
		// That is told of the datagram before, with this one, which is not sent.
		l.peer.lookup.Soon()
		return &sink.Refused{Err: err, Drop: l.peer.failed, Away: true}
	case last && !l.udp:
		return &sink.Refused{Err: err, Drop: l.peer.failed, Away: true}
	}
	return err
}

// patient is a connection whose writes wait for a peer that does not read, but not beyond the
// shutdown timeout, and not for one that takes nothing at all.
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
		c.SetWriteDeadline(time.Now().Add(sink.WaitSlice))
		m, err := c.Conn.Write(b[n:])
		n += m
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		c.env.Waits()
		now := time.Now()
		if m > 0 {
			progress = now
		}
		if end := c.env.Deadline(); !end.IsZero() && now.After(end) || now.Sub(progress) > stuckAfter {
			return n, err
		}
	}
}
