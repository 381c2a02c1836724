//go:build !small

// Sessions over TLS, by RFC 7011 section 11: 1.2 or newer (RFC 8996), both sides verified.

package collector

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/output/dial"
)

// load makes a configuration for a session with a host.
func (id Identity) load(host string) (*tls.Config, error) {
	c, err := dial.TLS(id.Authorities, id.Certificate, id.Key)
	if err != nil {
		return nil, err
	}
	c.ServerName = host
	if len(id.PeerNames) > 0 {
		c.InsecureSkipVerify = true // of the host's name alone: VerifyConnection checks the chain and the names asked for
		c.VerifyConnection = func(s tls.ConnectionState) error { return verify(s.PeerCertificates, c.RootCAs, id.PeerNames) }
	}
	return c, nil
}

// verify checks that a certificate chain leads to a root and carries one of the names (RFC 7011
// section 11.3).
func verify(chain []*x509.Certificate, roots *x509.CertPool, names []string) error {
	if len(chain) == 0 {
		return errors.New("the collector shows no certificate")
	}
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	var err error
	for _, o.DNSName = range names {
		if _, err = chain[0].Verify(o); err == nil {
			return nil
		}
	}
	return err
}

// Doctor finds certificates that cannot be read, and one of ours that no collector takes any more.
func (id Identity) Doctor(d *engine.DoctorReport) {
	c, err := id.load("")
	if err != nil {
		d.Find(err.Error(), "nothing is sent to a collector without certificates", "correct tls_cert, tls_key or tls_ca, or who may read them")
		return
	}
	if own := c.Certificates[0].Leaf; time.Now().After(own.NotAfter) {
		d.Find(fmt.Sprintf("the certificate %s has expired: %s", id.Certificate, own.NotAfter.Format(time.DateTime)), "no collector lets us in with it",
			"replace it, then kill -HUP the daemon")
	}
}

// TLS is a TLS connection over a TCP socket that is written without waiting: what the socket does
// not take at once waits, encrypted, in a buffer.
type TLS struct {
	*TCP
	conn *tls.Conn
	pipe *pipe
	sent []sealed // messages not known to be acknowledged
	last int64    // octets of messages known to be
	all  int64    // octets of messages taken
	read [4096]byte
}

// sealed says where a message ends, in octets of messages and on the wire.
type sealed struct{ plain, wire int64 }

// maxSealed bounds what waits encrypted; beyond it messages wait in their queue.
const maxSealed = 256 << 10

// DialTLS returns a Dial for streams over TLS.
func DialTLS(to Address, from *dial.Settings, id Identity) Dial {
	return func(ctx context.Context) (Session, error) {
		config, err := id.load(to.Host)
		if err != nil {
			return nil, err
		}
		conn, err := dialTCP(ctx, to, from)
		if err != nil {
			return nil, err
		}
		t, err := newTCP(conn)
		if err != nil {
			return nil, err
		}
		s := &TLS{TCP: t, pipe: &pipe{Conn: conn, t: t}}
		s.conn = tls.Client(s.pipe, config)
		conn.SetDeadline(time.Now().Add(dialTimeout))
		if err := s.conn.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, fmt.Errorf("TLS handshake with %s: %w", to, err)
		}
		conn.SetDeadline(time.Time{})
		s.pipe.established = true
		return s, nil
	}
}

// Send implements Session. It takes whole messages.
func (s *TLS) Send(p []byte, pieces []Piece) (int, error) {
	done := 0
	for _, m := range pieces {
		n := m.Length
		if len(s.pipe.out) > maxSealed {
			if _, err := s.Flush(); err != nil {
				return done, err
			}
			if len(s.pipe.out) > maxSealed {
				return done, nil
			}
		}
		if _, err := s.conn.Write(p[done : done+int(n)]); err != nil {
			return done, fmt.Errorf("send to %s: %w", s.TCP.conn.RemoteAddr(), err)
		}
		done += int(n)
		s.all += int64(n)
		s.sent = append(s.sent, sealed{s.all, s.pipe.wire})
	}
	_, err := s.Flush()
	return done, err
}

// Flush implements Session.
func (s *TLS) Flush() (bool, error) {
	n, err := s.TCP.Send(s.pipe.out, nil)
	s.pipe.out = s.pipe.out[:copy(s.pipe.out, s.pipe.out[n:])]
	return len(s.pipe.out) == 0, err
}

// Drain implements Session: reading also handles what the protocol itself has to say, such as
// tickets and alerts.
func (s *TLS) Drain() error {
	for range 64 {
		if _, err := s.conn.Read(s.read[:]); err != nil {
			if errors.Is(err, errNothing) {
				return nil
			}
			return err
		}
	}
	return nil
}

// Acked implements Session: octets of messages whose ciphertext is acknowledged to its end.
func (s *TLS) Acked() int64 {
	wire, n := s.TCP.Acked(), 0
	for n < len(s.sent) && s.sent[n].wire <= wire {
		s.last = s.sent[n].plain
		n++
	}
	s.sent = s.sent[:copy(s.sent, s.sent[n:])]
	return s.last
}

// Shutdown implements Session.
func (s *TLS) Shutdown() error {
	if err := s.conn.CloseWrite(); err != nil {
		return err
	}
	if _, err := s.Flush(); err != nil {
		return err
	}
	return s.TCP.Shutdown()
}

// pipe is what tls.Conn reads and writes: the socket while the handshake lasts, afterwards a buffer
// on the way out and, on the way in, what is there.
type pipe struct {
	net.Conn
	t           *TCP
	established bool
	out         []byte
	wire        int64 // octets written so far
}

func (p *pipe) Write(b []byte) (int, error) {
	if !p.established {
		n, err := p.Conn.Write(b)
		p.wire += int64(n)
		p.t.sent += int64(n)
		return n, err
	}
	p.out = append(p.out, b...)
	p.wire += int64(len(b))
	return len(b), nil
}

func (p *pipe) Read(b []byte) (int, error) {
	if !p.established {
		return p.Conn.Read(b)
	}
	n := 0
	var err error
	if e := p.t.raw.Read(func(fd uintptr) bool {
		n, _, err = unix.Recvfrom(int(fd), b, unix.MSG_DONTWAIT)
		return true
	}); e != nil {
		return 0, e
	}
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, errNothing
	case err != nil:
		return 0, fmt.Errorf("read from %s: %w", p.Conn.RemoteAddr(), err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// errNothing is what a read without data returns. Being temporary it does not end a tls.Conn.
var errNothing net.Error = nothing{}

type nothing struct{}

func (nothing) Error() string   { return "nothing to read" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }
