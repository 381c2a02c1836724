//go:build small

// TLS and DTLS are left out of a build for small machines: crypto/tls and crypto/x509 are a third as large as all the
// rest, and DTLS needs a library besides. Settings that ask for them are refused before anything is dialled.

package collector

import (
	"context"

	"ulogd/engine"
	"ulogd/engine/small"
	"ulogd/plugins/output/dial"
)

// DialTLS returns a Dial that says so.
func DialTLS(Address, *dial.Settings, Identity) Dial { return lacks }

// DialDTLS returns a Dial that says so.
func DialDTLS(Address, *dial.Settings, Identity, *engine.Counter) Dial { return lacks }

func lacks(context.Context) (Session, error) { return nil, small.LacksTLS() }

// Doctor has no certificate to look at.
func (Identity) Doctor(*engine.DoctorReport) {}
