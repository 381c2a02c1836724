//go:build !small

// Whom an output trusts, and what it shows of itself.

package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"

	"ulogd/engine/keypair"
	"ulogd/engine/safefile"
)

// TLS reads files in PEM: of those who may sign the other side's certificate, "" is whom the system
// trusts; and of the certificate that is shown, with its key, "" is none.
func TLS(authorities, certificate, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if authorities != "" {
		text, err := safefile.Read(authorities)
		if err != nil {
			return nil, fmt.Errorf("whom to trust: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("whom to trust: %s holds no certificate in PEM", authorities)
		}
	}
	if certificate != "" {
		own, err := keypair.Read(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("read the certificate %s with the key %s: %w", certificate, key, err)
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// Secure encrypts a connection, or closes it.
func Secure(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}
