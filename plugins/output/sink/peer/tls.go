//go:build !small

// Streams over TLS.

package peer

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"

	"ulogd/plugins/output/dial"
)

// security is what encrypts a stream. The exported field is a setting.
type security struct {
	TLS func() (*tls.Config, error) // over tcp, read at the start and at SIGHUP; nil: in the clear

	config atomic.Pointer[tls.Config]
}

// read reads certificates and keys.
func (s *security) read() error {
	if s.TLS == nil {
		return nil
	}
	c, err := s.TLS()
	if err != nil {
		return err
	}
	s.config.Store(c)
	return nil
}

// Again tries whether certificates and keys can be read again.
func (s *security) Again() error {
	if s.TLS == nil {
		return nil
	}
	_, err := s.TLS()
	return err
}

// secure encrypts a connection, or closes it.
func (s *security) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	c := s.config.Load()
	if c == nil {
		return conn, nil
	}
	return dial.Secure(ctx, conn, c)
}
