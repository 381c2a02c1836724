// Whom an output trusts.

package dial

import (
	"crypto/x509"
	"fmt"
	"os"
)

// Roots reads a file of certificates in PEM: of those who may sign what the other side shows.
func Roots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return roots, nil
}
