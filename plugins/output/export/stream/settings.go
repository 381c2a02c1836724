// The options that all exporters have.

package stream

import (
	"fmt"
	"slices"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export/collector"
)

// PortNetFlow is where collectors of NetFlow usually listen.
const PortNetFlow = 2055

// How several collectors are used.
const (
	All      = "all"
	Balance  = "balance"
	Failover = "failover"
)

// Settings say where the collectors are, who of them gets what, and how long a message waits to be
// filled.
type Settings struct {
	collector.Settings
	Mode            string
	FlushInterval   time.Duration
	Rate            int
	ResolveInterval time.Duration
	FailoverAfter   time.Duration

	opts *engine.Options
}

// DefaultRate is half of what nfcapd 1.7.1 takes without loss as Debian installs it, with the
// default receive buffer of 212,992 octets. Measured, 200,000 flows over loopback on two cores that
// twenty other programs wanted, too: none of 40,000 a second was lost in any of the three formats;
// of 80,000 0 to 10 %, of 320,000 5 %, unpaced 92 %.
const DefaultRate = 20_000

// Options declares the options, with the protocol's port. Not every exporter has all modes.
func (s *Settings) Options(o *engine.Options, port uint16, modes ...string) {
	doc := "several collectors: all: every one gets everything; balance: each gets a share, by a hash of the flow, " +
		"both directions of a connection at one of them"
	if slices.Contains(modes, Failover) {
		doc += "; failover: the first that can be reached, and back to a better one when it returns"
	}
	s.opts = o
	s.Settings.Options(o, port)
	o.Enum(&s.Mode, "mode", All, modes, doc)
	o.Seconds(&s.FlushInterval, "flush_interval", time.Second, "send a message that is not full after this time")
	engine.Int(o, &s.Rate, "rate", DefaultRate, "over UDP and DTLS, records a second at most to each collector: what comes "+
		"faster than it reads is lost, and nobody is told. Unless it is set this holds where the input can wait, such as a "+
		"file, for what had to wait because nothing could be sent, and at the end of the daemon; set, always. The default "+
		"is half of what nfcapd takes with Debian's socket buffers. 0: as fast as they can be sent")
	o.Seconds(&s.ResolveInterval, "resolve_interval", time.Minute, "over UDP, look the collector's name up again after this "+
		"time, and after its host has refused a datagram; 0: only when a session is begun")
	if slices.Contains(modes, Failover) {
		o.Seconds(&s.FailoverAfter, "failover_after", 10*time.Second, "in mode failover, over tcp and tls: leave a "+
			"collector that has acknowledged nothing of what it was sent for this time; what it has not acknowledged goes to "+
			"the next; 0: only one whose session breaks")
	}
}

// Validate checks the options.
func (s *Settings) Validate() error {
	if err := s.Settings.Validate(); err != nil {
		return err
	}
	if s.Rate < 0 {
		return fmt.Errorf("rate: must not be negative, is %d", s.Rate)
	}
	if s.Mode != All && len(s.Addresses) < 2 {
		return fmt.Errorf("mode: %s needs several collectors in host", s.Mode)
	}
	return nil
}
