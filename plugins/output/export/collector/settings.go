// The options that every output to collectors has.

package collector

import (
	"fmt"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/dial"
)

// Settings say where the collectors are and how patient to be with them.
type Settings struct {
	Host              []string
	Port              uint16
	ReconnectInterval time.Duration
	Buffer            int64

	Network   dial.Settings
	Addresses []Address // of Host and Port, after Validate
}

// Options declares the options, with the protocol's port.
func (s *Settings) Options(o *engine.Options, port uint16) {
	o.Strings(&s.Host, "host", nil, "collectors: names or addresses, IPv4 or IPv6, each with :port where it differs from port; names are resolved again at each connect")
	engine.Int(o, &s.Port, "port", port, "port of collectors whose host does not name one")
	s.Network.Options(o)
	o.Seconds(&s.ReconnectInterval, "reconnect_interval", 60*time.Second, "at least this long between two attempts to connect; the first retry comes at once if the last attempt is older (RFC 7011 section 10.4.4: at most one a minute)")
	o.Size(&s.Buffer, "buffer", 64<<20, "octets of messages that wait in memory, per collector, while it is away or slow; what comes beyond goes to the spool, if the output has one, or is dropped and counted as buffer_full")
}

// Validate checks the options and fills Addresses and Source.
func (s *Settings) Validate() error {
	if len(s.Host) == 0 {
		return fmt.Errorf("host: must name a collector, such as host = \"192.0.2.1\"")
	}
	if s.Port == 0 {
		return fmt.Errorf("port: must be between 1 and 65535, is 0")
	}
	s.Addresses = s.Addresses[:0]
	for _, h := range s.Host {
		a, err := ParseAddress(h, s.Port)
		if err != nil {
			return fmt.Errorf("host: %w", err)
		}
		s.Addresses = append(s.Addresses, a)
	}
	if err := s.Network.Validate(); err != nil {
		return err
	}
	if s.ReconnectInterval <= 0 {
		return fmt.Errorf("reconnect_interval: must be above 0, is %v", s.ReconnectInterval)
	}
	if s.Buffer < MinBuffer {
		return fmt.Errorf("buffer: must be at least %s, is %s", engine.FormatSize(MinBuffer), engine.FormatSize(s.Buffer))
	}
	return nil
}

// Capabilities implements engine.Privileged.
func (s *Settings) Capabilities() []int { return s.Network.Capabilities() }

// MinBuffer is what the pieces of memory that messages wait in allow.
const MinBuffer = 2 * chunkSize
