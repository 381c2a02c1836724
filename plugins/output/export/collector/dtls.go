//go:build !small

// Sessions over DTLS 1.2 (RFC 6347), by RFC 7011 section 11: datagrams, encrypted, both sides
// verified.

package collector

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/pion/dtls/v3"
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/output/dial"
)

// dtlsSuites encrypt and authenticate in one (AEAD), with keys that a certificate's later loss does
// not give away (RFC 9325 section 4.2).
var dtlsSuites = []dtls.CipherSuiteID{
	dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	dtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, dtls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// dtlsOverhead is what a record adds to a message, in octets: header, explicit nonce and tag of
// AES-GCM (RFC 6347 section 4.1, RFC 5288 section 3).
const dtlsOverhead = 13 + 8 + 16

// DTLS is a DTLS connection over a datagram socket that is written without waiting.
type DTLS struct {
	*UDP
	conn  *dtls.Conn
	ended chan error // why there is nothing more to read, once
	end   error      // what came from it
}

// DialDTLS returns a Dial for datagrams over DTLS. refused, if not nil, counts the times that the
// peer's host said nobody listens.
func DialDTLS(to Address, from *dial.Settings, id Identity, refused *engine.Counter) Dial {
	return func(ctx context.Context) (Session, error) {
		options, err := id.dtls(to.Host)
		if err != nil {
			return nil, err
		}
		udp, err := dialUDP(ctx, to, from, refused)
		if err != nil {
			return nil, err
		}
		conn, err := dtls.ClientWithOptions(datagrams{udp.conn, udp}, udp.conn.RemoteAddr(), options...)
		if err != nil {
			udp.Close()
			return nil, fmt.Errorf("prepare DTLS with %s: %w", to, err)
		}
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		if err := conn.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, fmt.Errorf("DTLS handshake with %s: %w", to, err)
		}
		s := &DTLS{UDP: udp, conn: conn, ended: make(chan error, 1)}
		go s.listen()
		return s, nil
	}
}

// dtls makes the options of a session with a host.
func (id Identity) dtls(host string) ([]dtls.ClientOption, error) {
	c, err := id.load(host)
	if err != nil {
		return nil, err
	}
	options := []dtls.ClientOption{
		dtls.WithCertificates(c.Certificates...), dtls.WithRootCAs(c.RootCAs), dtls.WithServerName(host), dtls.WithCipherSuites(dtlsSuites...),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret), // RFC 9325 section 3.5
	}
	if len(id.PeerNames) > 0 { // not the host's name: the callback checks the chain and the names asked for
		options = append(options, dtls.WithInsecureSkipVerify(true), dtls.WithVerifyPeerCertificate(func(raw [][]byte, _ [][]*x509.Certificate) error {
			var chain []*x509.Certificate
			for _, der := range raw {
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					return err
				}
				chain = append(chain, cert)
			}
			return verify(chain, c.RootCAs, id.PeerNames)
		}))
	}
	return options, nil
}

// listen reads until the session ends: what the peer says is thrown away, save alerts, of which
// warnings change nothing.
func (s *DTLS) listen() {
	p := make([]byte, MaxDTLS)
	for {
		_, err := s.conn.Read(p)
		var alert interface{ IsFatalOrCloseNotify() bool }
		if err != nil && (!errors.As(err, &alert) || alert.IsFatalOrCloseNotify()) {
			s.ended <- err
			return
		}
	}
}

// Send implements Session. Unlike with plain UDP a refusal breaks the session: whoever listens
// there later does not know its keys.
func (s *DTLS) Send(p []byte, pieces []Piece) (int, error) {
	if _, err := s.leaves(nil); err != nil {
		return 0, err
	}
	done := 0
	for _, m := range pieces {
		_, err := s.conn.Write(p[done : done+int(m.Length)])
		switch {
		case err == nil:
			done += int(m.Length)
		case errors.Is(err, unix.EAGAIN):
			return done, nil
		case passes(err):
			return done, &LaterError{fmt.Errorf("send to %s: %w", s.UDP.conn.RemoteAddr(), err)}
		case errors.Is(err, dtls.ErrConnClosed):
			return done, io.EOF
		default:
			return done, s.refusal(fmt.Errorf("send to %s: %w", s.UDP.conn.RemoteAddr(), err))
		}
	}
	return done, nil
}

// Drain implements Session.
func (s *DTLS) Drain() error {
	select {
	case err := <-s.ended:
		s.end = s.refusal(err)
	default:
	}
	return s.end
}

// refusal counts an error that says that nobody listens.
func (s *DTLS) refusal(err error) error {
	if errors.Is(err, unix.ECONNREFUSED) {
		s.refuse()
	}
	return err
}

// MaxMessage implements Session.
func (s *DTLS) MaxMessage() int { return min(s.UDP.MaxMessage()-dtlsOverhead, MaxDTLS) }

// Shutdown implements Session: it sends close_notify, after which DTLS sends nothing more.
func (s *DTLS) Shutdown() error { return s.conn.Close() }

// Close implements Session.
func (s *DTLS) Close() error { return s.conn.Close() }

// datagrams is the socket as DTLS sees it: connected, and written without waiting. DTLS writes one
// datagram at a time.
type datagrams struct {
	*net.UDPConn
	u *UDP
}

func (d datagrams) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := d.Read(p)
	return n, d.RemoteAddr(), err
}

func (d datagrams) WriteTo(p []byte, _ net.Addr) (int, error) {
	u := d.u
	u.p, u.segment, u.err = p, 0, unix.EINTR
	for errors.Is(u.err, unix.EINTR) {
		if err := u.raw.Write(u.attempt); err != nil {
			return 0, err
		}
	}
	u.p = nil
	if u.err != nil {
		return 0, u.err
	}
	return len(p), nil
}
