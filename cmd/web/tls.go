// Certificates of the listener, and of its clients.

package web

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"ulogd/engine/keypair"
	"ulogd/engine/safefile"
)

// readTLS reads certificates and keys.
func (w *Server) readTLS() (*tls.Config, error) {
	pair, err := keypair.Read(w.settings.Cert, w.settings.Key)
	if err != nil {
		return nil, fmt.Errorf("http_cert, http_key: %w", err)
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, fmt.Errorf("http_cert: %w", err)
		}
	}
	c := &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
	}
	if w.settings.ClientCA == "" {
		return c, nil
	}
	pem, err := safefile.Read(w.settings.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("http_client_ca: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("http_client_ca: %s has no certificate in PEM", w.settings.ClientCA)
	}
	c.ClientAuth = tls.VerifyClientCertIfGiven // health is free; the gate asks for it
	return c, nil
}

// Reload reads certificates and the token again. What cannot be read stays as it is.
func (w *Server) Reload() {
	if w.settings.Cert != "" {
		if c, err := w.readTLS(); err != nil {
			w.log.Error("the listener's certificates cannot be read again; the old ones stay in use", "error", err,
				"remedy", rereadRemedy)
		} else {
			w.tls.Store(c)
		}
	}
	if err := w.gate.read(); err != nil {
		w.log.Error("the listener's token cannot be read again; the old one stays in use", "error", err,
			"remedy", rereadRemedy)
	}
}

const rereadRemedy = "under -u let the daemon's user read the file, or restart the daemon when it has changed"
