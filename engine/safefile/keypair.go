//go:build !small

// Certificates with their keys.

package safefile

import (
	"crypto/tls"
	"errors"
)

// KeyPair is [tls.LoadX509KeyPair] by [Read].
func KeyPair(certificate, key string) (tls.Certificate, error) {
	public, err := Read(certificate)
	secret, keyErr := Read(key)
	if err = errors.Join(err, keyErr); err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(public, secret)
}
