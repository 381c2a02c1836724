// Package peer sends records to another program over a connection that is kept up: TCP, TLS, UDP or a Unix socket.
//
// Connecting runs aside and is tried again with growing pauses; a daemon starts without its peers. While there is no connection, an output with a queue waits, so
// that records gather there; without one they are dropped and counted. What a broken stream took of a record is sent again from the
// record's beginning on the next connection, so that the peer never sees the end of a record alone.
//
// Use it like a file of package logfile: Begin, End after each record, Commit after each batch.
package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"ulogd/engine"
)

// A Peer is where records are sent. The exported fields are settings.
type Peer struct {
	Network string      // tcp, udp, unix or unixgram, or a choice "unixgram,unix": the first that works
	Address string      // host:port, or a path
	TLS     *tls.Config // over tcp; nil: in the clear
	Wait    bool        // whether records wait for a connection: the output has a queue

	env    *engine.Env
	link   *link
	dialed chan *link // from the goroutine that connects
	asking bool       // such a goroutine runs
	buf    []byte
	ends   []int

	since                          time.Time // when the connection was made
	complained                     time.Time
	troubled                       bool // a complaint was logged and there is no connection since
	silent                         int
	connects, octets               *engine.Counter
	noConnection, failed, tooLarge *engine.Drop
}

// link is one connection.
type link struct {
	net.Conn
	datagrams bool
	dead      atomic.Bool // the peer has closed
}

const (
	// sendAt is how many octets are gathered before they are sent.
	sendAt = 64 << 10
	// complainEvery limits messages about a peer that cannot be reached.
	complainEvery = time.Minute
	// firstPause and longestPause are how long to wait before connecting again; each failure doubles the pause.
	firstPause, longestPause = 100 * time.Millisecond, 10 * time.Second
	// dialTimeout limits one attempt.
	dialTimeout = 10 * time.Second
	// waitSlice is how often a waiting output looks whether the shutdown timeout has ended.
	waitSlice = 50 * time.Millisecond
)

// Open starts to connect.
func (p *Peer) Open(env *engine.Env) error {
	p.env, p.dialed = env, make(chan *link, 1)
	p.connects = env.Stats.Counter("connections", "connections made")
	p.octets = env.Stats.Counter("sent_octets", "octets sent")
	p.noConnection = env.Stats.Drop("no_connection", "records that came while there was no connection, without a queue to wait in or at the end")
	p.failed = env.Stats.Drop("send_error", "records that could not be sent, such as when no process reads the port")
	p.tooLarge = env.Stats.Drop("too_large", "records that do not fit into a datagram")
	p.connect()
	return nil
}

// Begin returns the buffer that records are appended to.
func (p *Peer) Begin() []byte { return p.buf }

// End says that buf ends with a whole record. It returns the buffer to go on with.
func (p *Peer) End(buf []byte) []byte {
	p.ends = append(p.ends, len(buf))
	if len(buf) < sendAt {
		return buf
	}
	p.Commit(buf)
	return p.buf
}

// Commit sends what has gathered.
func (p *Peer) Commit(buf []byte) {
	start, i := 0, 0 // of the first record that is not sent
	again := -1      // the datagram that is tried a second time
	for i < len(p.ends) {
		if !p.ready() {
			p.drop(p.noConnection, len(p.ends)-i)
			break
		}
		if p.link.datagrams {
			if p.datagram(buf[start:p.ends[i]], again == i) {
				start = p.ends[i]
				i++
			} else {
				again = i
			}
			continue
		}
		n, err := p.link.Write(buf[start:])
		p.octets.Add(n)
		n += start
		for i < len(p.ends) && p.ends[i] <= n {
			start = p.ends[i]
			i++
			p.env.Stats.Out.Add(1)
		}
		if err != nil {
			p.lose(err)
		}
	}
	p.buf, p.ends = buf[:0], p.ends[:0]
}

// datagram sends one record and tells whether it is done with. If not, the connection was given up and the record is to be tried again.
func (p *Peer) datagram(record []byte, last bool) bool {
	n, err := p.link.Write(record)
	switch {
	case err == nil:
		p.octets.Add(n)
		p.env.Stats.Out.Add(1)
	case errors.Is(err, syscall.EMSGSIZE):
		p.drop(p.tooLarge, 1)
		p.complain("a record does not fit into a datagram", err)
	case strings.HasPrefix(p.link.RemoteAddr().Network(), "udp"):
		// An error of the datagram before, such as "connection refused", is reported with this one, which is not sent.
		p.drop(p.failed, 1)
		p.complain("cannot send", err)
	default:
		p.lose(err)
		if !last {
			return false
		}
		p.drop(p.failed, 1)
	}
	return true
}

// Tick connects again, also while no records come.
func (p *Peer) Tick(time.Time) {
	if p.link != nil && p.link.dead.Load() {
		p.lose(errClosed)
	}
	if p.link == nil {
		p.connect()
		p.take()
	}
}

// Reconnect gives up the connection and makes a new one, resolving names again.
func (p *Peer) Reconnect() {
	if p.link != nil {
		p.link.Close()
		p.link, p.since = nil, time.Time{}
	}
	p.connect()
}

// Close closes the connection.
func (p *Peer) Close() error {
	if p.env == nil {
		return nil
	}
	select {
	case l := <-p.dialed:
		l.Close()
	default:
	}
	if p.link == nil {
		return nil
	}
	return p.link.Close()
}

// ready tells whether there is a connection, if need be after waiting for it.
func (p *Peer) ready() bool {
	for {
		if p.link != nil && p.link.dead.Load() {
			p.lose(errClosed)
		}
		if p.link != nil {
			return true
		}
		p.connect()
		end := p.env.Deadline()
		if !p.Wait || !end.IsZero() && time.Now().After(end) {
			return p.take()
		}
		select {
		case l := <-p.dialed:
			p.use(l)
		case <-time.After(waitSlice):
		}
	}
}

// take takes the connection that has been made, if one has.
func (p *Peer) take() bool {
	select {
	case l := <-p.dialed:
		p.use(l)
		return true
	default:
		return false
	}
}

var errClosed = errors.New("the peer has closed the connection")

func (p *Peer) use(l *link) {
	p.link, p.asking, p.since = l, false, time.Now()
	p.connects.Add(1)
	if p.troubled || p.connects.Load() == 1 {
		p.env.Log.Info("connected", "peer", p.Address, "dropped", p.silent)
		p.troubled, p.silent = false, 0
	}
	if l.datagrams {
		return
	}
	// The peer has nothing to say; reading tells when it goes, before records are written to nobody.
	p.env.Go(func(ctx context.Context) {
		stop := context.AfterFunc(ctx, func() { l.Close() })
		defer stop()
		var scrap [512]byte
		for {
			if _, err := l.Read(scrap[:]); err != nil {
				l.dead.Store(true)
				return
			}
		}
	})
}

func (p *Peer) lose(err error) {
	p.link.Close()
	p.link = nil
	p.complain("the connection is lost; connecting again", err)
}

func (p *Peer) drop(why *engine.Drop, n int) {
	why.Add(n)
	p.silent += n
}

func (p *Peer) complain(text string, err error) {
	now := time.Now()
	if now.Sub(p.complained) < complainEvery {
		return
	}
	p.env.Log.Error(text, "peer", p.Address, "error", err, "dropped", p.silent)
	p.complained, p.troubled = now, true
}
