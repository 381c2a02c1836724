// Package keypair reads certificates with their keys. It stands apart from safefile, so that who needs none does
// without TLS.
package keypair

import (
	"crypto/tls"
	"errors"

	"ulogd/engine/safefile"
)

// Read is [tls.LoadX509KeyPair] by [safefile.Read].
func Read(certificate, key string) (tls.Certificate, error) {
	public, err := safefile.Read(certificate)
	secret, keyErr := safefile.Read(key)
	if err = errors.Join(err, keyErr); err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(public, secret)
}
