// What keeps collectors from being reached, before it does.

package collector

import (
	"context"
	"fmt"
	"net"
	"time"

	"ulogd/engine"
	"ulogd/engine/doctor"
)

// Answers finds collectors over TCP that take no connection, or whose names have no address.
func (s *Settings) Answers(d *engine.DoctorReport) {
	for _, a := range s.Addresses {
		doctor.Answers(d, a.Host, a.String(), func(ctx context.Context) (net.Conn, error) {
			return s.Network.Try(ctx, a.String())
		})
	}
}

// Doctor finds collectors whose names have no address. An output that embeds Settings has this
// method too.
func (s *Settings) Doctor(d *engine.DoctorReport) {
	for _, a := range s.Addresses {
		doctor.Resolves(d, a.Host)
	}
}

// Doctor finds certificates that cannot be read, and one of ours that no collector takes any more.
func (id Identity) Doctor(d *engine.DoctorReport) {
	c, err := id.load("")
	if err != nil {
		d.Find(err.Error(), "nothing is sent to a collector without certificates", "correct tls_cert, tls_key or tls_ca, or who may read them")
		return
	}
	if own := c.Certificates[0].Leaf; time.Now().After(own.NotAfter) {
		d.Find(fmt.Sprintf("the certificate %s has expired: %s", id.Certificate, own.NotAfter.Format(time.DateTime)), "no collector lets us in with it",
			"replace it, then kill -HUP the daemon")
	}
}
