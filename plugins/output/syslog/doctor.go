package syslog

import (
	"net"

	"ulogd/engine"
	"ulogd/plugins/output/sink/peer"
)

// Examine looks at the socket or the server that transport chooses.
func (s *syslog) Examine(d *engine.Diagnosis) {
	if s.transport == "local" {
		(&peer.Peer{Network: "unixgram", Address: s.socket}).Examine(d)
		return
	}
	(&peer.Peer{Network: "tcp", Address: net.JoinHostPort(s.host, s.port)}).Examine(d)
}
