// How messages travel to collectors.

package ipfix

import (
	"fmt"

	"ulogd/engine"
	"ulogd/engine/small"
	"ulogd/plugins/output/export/collector"
	"ulogd/plugins/output/export/stream"
)

const (
	protoTCP  = "tcp"
	protoUDP  = "udp"
	protoTLS  = "tls"
	protoDTLS = "dtls"
	protoSCTP = "sctp"
	protoFile = "file" // is set by the option file alone
)

// datagrams reports whether each message is a datagram, which may be lost: templates are then
// announced again (RFC 7011 section 8.4).
func (s *settings) datagrams() bool { return s.proto == protoUDP || s.proto == protoDTLS }

// secure reports whether both sides prove who they are.
func (s *settings) secure() bool { return s.proto == protoTLS || s.proto == protoDTLS }

// dial returns how a collector is reached.
func (o *output) dial(a collector.Address, refused *engine.Counter) collector.Dial {
	switch o.proto {
	case protoUDP:
		return collector.DialUDP(a, &o.Network, refused)
	case protoTLS:
		return collector.DialTLS(a, &o.Network, o.identity)
	case protoDTLS:
		return collector.DialDTLS(a, &o.Network, o.identity, refused)
	}
	return collector.DialTCP(a, &o.Network)
}

func (s *settings) validateTransport(mode string) error {
	id := &s.identity
	switch {
	case s.proto == protoSCTP:
		return fmt.Errorf("proto: sctp is not offered: Go's network library has none, and there was no kernel with SCTP to test another on; set proto = tcp or tls, which lose nothing either")
	case s.secure() && small.Build:
		return fmt.Errorf("proto: %w", small.LacksTLS())
	case mode == stream.Failover && s.proto == protoUDP:
		return fmt.Errorf("mode: failover needs tcp, tls or dtls; UDP does not tell that a collector is away (RFC 7011 section 10.3.5)")
	case !s.datagrams() && s.opts.Given("rate"):
		return fmt.Errorf("rate: is for udp and dtls; over %s a collector is sent what it takes; remove it", s.proto)
	case !s.secure() && (id.Certificate != "" || id.Key != "" || id.Authorities != "" || len(id.PeerNames) > 0):
		return fmt.Errorf("proto: is %s, which takes no tls_cert, tls_key, tls_ca or tls_peer_names; set proto = tls or dtls", s.proto)
	case s.secure() && (id.Certificate == "" || id.Key == "" || id.Authorities == ""):
		return fmt.Errorf("tls_cert: %s needs tls_cert, tls_key and tls_ca: both sides prove who they are (RFC 7011 section 11.3)", s.proto)
	case s.proto == protoDTLS && s.opts.Given("source_port") && s.renew > 0:
		return fmt.Errorf("source_port: the session that replaces another every dtls_renew comes from a port of its own; " +
			"set dtls_renew = 0, or remove source_port")
	case s.proto == protoDTLS && s.mtu > collector.MaxDTLS:
		return fmt.Errorf("mtu: a message over DTLS has at most %d octets (RFC 6347 section 4.1), is %d", collector.MaxDTLS, s.mtu)
	}
	return nil
}
