// What will keep records from the peer.

package peer

import (
	"context"
	"net"
	"os"
	"strings"

	"ulogd/engine"
	"ulogd/engine/doctor"
)

// Doctor finds a peer whose name has no address or that takes no connection, or a local socket that nobody has made.
func (p *Peer) Doctor(d *engine.DoctorReport) {
	if strings.HasPrefix(p.Network, "unix") {
		if _, err := os.Stat(p.Address); err != nil {
			d.Find("socket: "+err.Error(), "nothing can be sent there", "start the program that listens on "+p.Address)
		}
		return
	}
	host, _, err := net.SplitHostPort(p.Address)
	switch {
	case err != nil:
	case p.Network == "tcp":
		doctor.Answers(d, host, p.Address, func(ctx context.Context) (net.Conn, error) {
			return p.From.Try(ctx, p.Address)
		})
	default:
		doctor.Resolves(d, host)
	}
}
