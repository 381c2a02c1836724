// What keeps collectors from being reached, before it does.

package collector

import (
	"context"
	"net"

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
