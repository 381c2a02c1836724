// The options that all exporters have.

package stream

import (
	"fmt"
	"slices"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export/collector"
)

// How several collectors are used.
const (
	All      = "all"
	Balance  = "balance"
	Failover = "failover"
)

// Settings say where the collectors are, who of them gets what, and how long a message waits to be filled.
type Settings struct {
	collector.Settings
	Mode          string
	FlushInterval time.Duration
}

// Options declares the options, with the protocol's port. Not every exporter has all modes.
func (s *Settings) Options(o *engine.Options, port uint16, modes ...string) {
	doc := "several collectors: all: every one gets everything; balance: each gets a share, by a hash of the flow, both directions of a connection at one of them"
	if slices.Contains(modes, Failover) {
		doc += "; failover: the first that can be reached, and back to a better one when it returns"
	}
	s.Settings.Options(o, port)
	o.Enum(&s.Mode, "mode", All, modes, doc)
	o.Seconds(&s.FlushInterval, "flush_interval", time.Second, "send a message that is not full after this time")
}

// Validate checks the options.
func (s *Settings) Validate() error {
	if err := s.Settings.Validate(); err != nil {
		return err
	}
	if s.Mode != All && len(s.Addresses) < 2 {
		return fmt.Errorf("mode: %s needs several collectors in host", s.Mode)
	}
	return nil
}
