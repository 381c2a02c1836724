// What will keep records from the peer.

package peer

import (
	"net"
	"os"
	"strings"

	"ulogd/engine"
	"ulogd/engine/doctor"
)

// Doctor finds a peer whose name has no address, or a local socket that nobody has made.
func (p *Peer) Doctor(d *engine.DoctorReport) {
	if strings.HasPrefix(p.Network, "unix") {
		if _, err := os.Stat(p.Address); err != nil {
			d.Find("socket: "+err.Error(), "nothing can be sent there", "start the program that listens on "+p.Address)
		}
		return
	}
	if host, _, err := net.SplitHostPort(p.Address); err == nil {
		doctor.Resolves(d, host)
	}
}
