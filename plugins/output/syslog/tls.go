// TLS to a log server (RFC 5425).

package syslog

import (
	"crypto/tls"
	"fmt"

	"ulogd/plugins/output/dial"
)

func (s *syslog) config() (*tls.Config, error) {
	c := &tls.Config{ServerName: s.serverName, MinVersion: tls.VersionTLS12}
	if c.ServerName == "" {
		c.ServerName = s.host
	}
	if s.caFile != "" {
		roots, err := dial.Roots(s.caFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		c.RootCAs = roots
	}
	if s.certFile != "" {
		cert, err := tls.LoadX509KeyPair(s.certFile, s.privateKey)
		if err != nil {
			return nil, fmt.Errorf("cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}
