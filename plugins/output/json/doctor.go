package json

import (
	"net"

	"ulogd/engine"
	"ulogd/plugins/output/sink/peer"
)

// Examine looks at the file, or the peer, that mode chooses.
func (j *json) Examine(d *engine.Diagnosis) {
	switch j.mode {
	case "file":
		j.file.Examine(d)
	case "unix":
		(&peer.Peer{Network: "unix", Address: j.file.Path}).Examine(d)
	default:
		(&peer.Peer{Network: j.mode, Address: net.JoinHostPort(j.host, j.port)}).Examine(d)
	}
}
