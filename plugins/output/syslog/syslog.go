// Package syslog is the SYSLOG output: printed records to the system's log, or to a log server.
package syslog

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/engine/small"
	"ulogd/engine/text"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/sink/peer"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "SYSLOG",
		Doc: `Sends the line that PRINTPKT or PRINTFLOW made to the local system log, as syslog(3) does, or to a log server in the form of RFC 5424 over
UDP, TCP or TLS (transport).

As with syslog(3), only the kernel can log under LOG_KERN: messages with that facility, the default, go out as LOG_DAEMON. Over TCP and TLS each message
is preceded by its length (RFC 6587 section 3.4.1, RFC 5425). Messages wait in the output's queue while the log is away.`,
		Example: `stack = "log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,sys1:SYSLOG"

[log1]
group = 1

[sys1]
facility = "LOG_LOCAL2"
transport = "tcp"
host = "192.0.2.1"
`,
		Output: func() engine.Output { return &syslog{} },
	})
}

type syslog struct {
	sink.Sink
	peer                         peer.Peer
	facility, level              string
	transport, socket            string
	host, port                   string
	caFile, certFile, privateKey string
	timeFormat                   string
	ident                        string
	serverName                   string

	priority string      // "<29>"
	clock    text.Second // of the local form
	stamp    text.Second // of RFC 5424, without fraction
	offset   []byte      // that follows the fraction
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*syslog)(nil)
	_ engine.Opener    = (*syslog)(nil)
)

func (s *syslog) Options(o *engine.Options) {
	o.Enum(&s.facility, "facility", "LOG_KERN", facilities, "what the message is said to be from")
	o.Enum(&s.level, "level", "LOG_NOTICE", levels, "how urgent it is")
	o.Enum(&s.transport, "transport", "local", []string{"local", "udp", "tcp", "tls"}, "local: the socket of syslog(3); otherwise RFC 5424 to host")
	text.Stamp(o, &s.timeFormat)
	o.String(&s.ident, "ident", "ulogd",
		"program that messages are said to be from: syslog(3)'s ident, the APP-NAME of RFC 5424")
	o.String(&s.socket, "socket", "/dev/log", "the local log's socket")
	o.String(&s.host, "host", "", "name or address of the log server; over udp a name is looked up again every minute")
	o.String(&s.port, "port", "", "its port; unset: 514 for udp, 601 for tcp, 6514 for tls")
	o.String(&s.caFile, "ca_file", "", "certificates that the server's is checked against, PEM; unset: the system's")
	o.Reads("ca_file")
	o.String(&s.certFile, "cert_file", "", "certificate to show to the server, PEM")
	o.Reads("cert_file")
	o.String(&s.privateKey, "key_file", "", "its private key, PEM")
	o.Reads("key_file")
	o.String(&s.serverName, "server_name", "", "name that the server's certificate must have; unset: host")
	s.peer.From.Options(o)
}

var defaultPorts = map[string]string{"udp": "514", "tcp": "601", "tls": "6514"}

func (s *syslog) Validate() error {
	if !isName(s.ident) {
		return fmt.Errorf("ident: must have 1 to %d characters of ASCII without blanks, brackets and colons, is %q",
			mostIdent, s.ident)
	}
	if s.transport == "local" {
		return s.peer.From.Unused(
			"transport = local sends nothing to another machine; set another transport")
	}
	if s.transport == "tls" && small.Build {
		return fmt.Errorf("transport: %w", small.LacksTLS())
	}
	if s.timeFormat != "rfc3164" {
		return errors.New("time_format: is for transport local alone; the others write what RFC 5424 asks for, with year and zone")
	}
	if s.host == "" {
		return fmt.Errorf("host: is not set; transport %s needs the name of the log server", s.transport)
	}
	if s.port == "" {
		s.port = defaultPorts[s.transport]
	}
	if _, err := net.LookupPort("tcp", s.port); err != nil {
		return fmt.Errorf("port: %q is neither a number up to 65535 nor a known service", s.port)
	}
	if (s.certFile == "") != (s.privateKey == "") {
		return errors.New("key_file: cert_file and key_file go together; set both or none")
	}
	return s.peer.From.Validate()
}

// mostIdent is how long an APP-NAME may be (RFC 5424 section 6).
const mostIdent = 48

// isName reports whether readers of either form find the end of a program's name.
func isName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte("[]:", s[i]) >= 0 {
			return false
		}
	}
	return len(s) > 0 && len(s) <= mostIdent
}

// Open sets the clock and connects.
func (s *syslog) Open(env *engine.Env) error {
	s.priority = fmt.Sprintf("<%d>", priority(s.facility, s.level))
	s.clock.Format = func(dst []byte, t time.Time) []byte { return text.Format(dst, t, s.timeFormat) }
	s.stamp.Format = func(dst []byte, t time.Time) []byte {
		s.offset = t.AppendFormat(s.offset[:0], "Z07:00")
		return t.AppendFormat(dst, "2006-01-02T15:04:05.")
	}
	return s.Sink.Open(env)
}

// target returns where messages go.
func (s *syslog) target() sink.Target {
	switch s.transport {
	case "local":
		s.peer.Network, s.peer.Address = "unixgram,unix", s.socket
	case "udp":
		s.peer.Network, s.peer.Address = "udp", net.JoinHostPort(s.host, s.port)
	default:
		s.peer.Network, s.peer.Address = "tcp", net.JoinHostPort(s.host, s.port)
		if s.transport == "tls" {
			s.secure()
		}
	}
	return &s.peer
}
