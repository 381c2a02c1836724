// The options of the IPFIX output.

package ipfix

import (
	"fmt"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
	"ulogd/plugins/output/export/stream"
)

const (
	layoutDefault = "default"
	layoutULOGD2  = "ulogd2"

	port       = 4739 // RFC 7011 section 10.1
	portSecure = 4740

	// samplingInterval is how often sampling is announced unless options_interval says.
	samplingInterval = 10 * time.Minute
)

type settings struct {
	opts *engine.Options

	oid          uint32
	proto        string
	renew        time.Duration
	identity     collector.Identity
	mtu          int
	sendTemplate string
	layout       string
	direction    string
	counters     export.Counters
	choice       export.Choice
	maxTemplates int

	optionsInterval time.Duration
	everything      bool // options records of all kinds, not of sampling alone
	sampling        uint32

	nat        export.NATSettings
	refresh    stream.Refresh
	copies     int
	resend     int64
	resendTime time.Duration

	announce     export.Announce
	announceWord string // what send_template says, if it is no word of ours
	neverChose   bool   // send_template = never chose the layout
}

func (s *settings) options(o *engine.Options, c *stream.Output) {
	s.opts = o
	engine.Int(o, &s.oid, "oid", 0,
		"observation domain id: what tells this exporter's records from others' of the same address. Two outputs to one "+
			"collector need different ones where it does not look at ports, such as nfcapd")
	c.Options(o, port, stream.All, stream.Balance, stream.Failover)
	o.Enum(&s.proto, "proto", protoTCP, []string{protoTCP, protoUDP, protoTLS, protoDTLS, protoSCTP}, "transport: tcp, udp, tls (TLS 1.2 or 1.3 over TCP), or dtls (DTLS 1.2 over UDP); the last two on port 4740, with both sides verified. sctp is refused")
	o.String(&s.identity.Certificate, "tls_cert", "", "file with our certificate (PEM), followed by those between it and the authority")
	o.Reads("tls_cert")
	o.String(&s.identity.Key, "tls_key", "", "file with its private key")
	o.Reads("tls_key")
	o.String(&s.identity.Authorities, "tls_ca", "", "file with the certificates that the collector's must lead to")
	o.Reads("tls_ca")
	o.Strings(&s.identity.PeerNames, "tls_peer_names", nil, "names of which the collector's certificate must carry one; unset: the name or address in host. The files are read again at each connect")
	o.Seconds(&s.renew, "dtls_renew", 10*time.Minute, "on DTLS, make a new session after this time, the old one going on until it is there: a collector that was restarted without a word cannot read the old one; 0: never")
	engine.Octets(o, &s.mtu, "mtu", 0, "octets of a message at most, without the headers below it; on UDP and DTLS never more than the path allows. 0: on UDP and DTLS what fits the path's MTU (packets of 512 octets if unknown, of 9000 at most), on TCP 8192")
	o.String(&s.sendTemplate, "send_template", "once", "once: templates travel ahead of their first record in each session and, on UDP and DTLS, every template_refresh; always: in each message; never: not at all")
	o.Enum(&s.layout, "layout", layoutDefault, []string{layoutDefault, layoutULOGD2}, "default: records by what the stack gives; ulogd2: the ten fields that ulogd2 sends, both directions in one counter")
	o.Enum(&s.direction, "direction", "uniflow", []string{"uniflow", "biflow", "sum"}, "uniflow: a record for each direction that has packets; biflow: one for both, with reverse elements (RFC 5103); sum: one, whose counters add both directions up")
	s.counters.Options(o)
	s.choice.Options(o)
	s.nat.Options(o)
	o.Seconds(&s.optionsInterval, "options_interval", 0, "at the begin of each session and then so often, send options records: what was sent, ignored and dropped (RFC 7011 section 4), FLOW's timeouts, sampling, the names of interfaces; and with each template which of its fields make a flow and what its enterprise elements mean (RFC 5610). 0: none, as some collectors refuse messages that hold them")
	engine.Int(o, &s.sampling, "sampling", 0, "announce that one packet of so many was looked at, in options records every 10 minutes, or every options_interval: by elements 304 to 306 (RFC 5477), 34 and 35, 48 to 50, as collectors read the one or the other. 0: all")
	engine.Int(o, &s.maxTemplates, "max_templates", 64, "templates at most; a record that would need one more takes a wider one whose other fields may be zero, or is dropped and counted")
	s.refresh.Options(o, "on UDP and DTLS, ", "; 0: never for this reason")
	engine.Int(o, &s.copies, "template_copies", 1, "on UDP and DTLS, announce a template so many times ahead of its first record")
	o.Size(&s.resend, "resend_window", 8<<20, "after a session over TCP or TLS breaks, send again what is not acknowledged and, before it, at least so many octets that are, as far as buffer holds them")
	o.Seconds(&s.resendTime, "resend_time", 5*time.Second, "and at least what was sent during this time; both 0: only what was not acknowledged")
}

func (s *settings) validate(mode string) error {
	if err := s.validateTransport(mode); err != nil {
		return err
	}
	s.everything = s.optionsInterval > 0
	if s.sampling > 0 && !s.opts.Given("options_interval") {
		s.optionsInterval = samplingInterval
	}
	options := export.CountOptionsTemplates(s.everything, s.sampling > 0)
	switch {
	case s.sampling > 0 && s.optionsInterval == 0:
		return fmt.Errorf("options_interval: 0 leaves out what sampling = %d has to be announced in; remove one of them", s.sampling)
	case s.direction == "biflow" && s.choice.Enterprise == export.EnterpriseNone:
		return fmt.Errorf("enterprise: false leaves out the reverse elements, which are under enterprise number 29305 and without which there is no biflow; remove it, or set another direction")
	case s.mtu < 0 || s.mtu > 65535:
		return fmt.Errorf("mtu: must be from 0 to 65535, is %d", s.mtu)
	case s.maxTemplates < 1 || s.maxTemplates > 64:
		return fmt.Errorf("max_templates: must be from 1 to 64, is %d", s.maxTemplates)
	case s.maxTemplates < options+2 && options > 0:
		return fmt.Errorf("max_templates: options records take %d templates; at least %d are needed, is %d", options, options+2, s.maxTemplates)
	case s.copies < 1 || s.copies > 10:
		return fmt.Errorf("template_copies: must be from 1 to 10, is %d", s.copies)
	case s.refresh.Count < 0:
		return fmt.Errorf("template_refresh_packets: must not be negative, is %d", s.refresh.Count)
	}
	if err := s.choice.Validate(); err != nil {
		return err
	}
	return s.validateLayout()
}

func (s *settings) validateLayout() error {
	s.announceWord = ""
	switch strings.ToLower(s.sendTemplate) {
	case "once":
		s.announce = export.First
	case "never":
		s.announce = export.Never
	case "always":
		s.announce = export.Always
	default:
		s.announce, s.announceWord = export.Always, s.sendTemplate
	}
	if s.announce == export.Never && !s.opts.Given("layout") {
		s.layout, s.neverChose = layoutULOGD2, true
	}
	if s.optionsInterval > 0 && s.announce == export.Never {
		return fmt.Errorf("options_interval: options records cannot be read without their templates; remove options_interval and sampling, or set another send_template")
	}
	if s.layout != layoutULOGD2 {
		return nil
	}
	if s.opts.Given("direction") && s.direction != "sum" {
		return fmt.Errorf("direction: layout = ulogd2 has only the sum of both; remove direction, or set layout = default")
	}
	if s.nat.Asked() {
		return fmt.Errorf("nat_events: layout = ulogd2 has no records of them; remove nat_events, or set layout = default")
	}
	if s.optionsInterval > 0 {
		return fmt.Errorf("options_interval: layout = ulogd2 has no options records; remove options_interval and sampling, or set layout = default")
	}
	if len(s.choice.Fields) > 0 {
		return fmt.Errorf("fields: layout = ulogd2 has its own; remove fields, or set layout = default")
	}
	return nil
}
