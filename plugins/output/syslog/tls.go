//go:build !small

// TLS to a log server (RFC 5425).

package syslog

import (
	"crypto/tls"

	"ulogd/plugins/output/dial"
)

// secure has the connection encrypted.
func (s *syslog) secure() { s.peer.TLS = s.config }

func (s *syslog) config() (*tls.Config, error) {
	c, err := dial.TLS(s.caFile, s.certFile, s.privateKey)
	if err != nil {
		return nil, err
	}
	if c.ServerName = s.serverName; c.ServerName == "" {
		c.ServerName = s.host
	}
	return c, nil
}
