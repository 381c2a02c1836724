package collector

import (
	"ulogd/engine"
	"ulogd/engine/checkup"
)

// Examine finds collectors whose names have no address. An output that embeds Settings has this method too.
func (s *Settings) Examine(d *engine.Diagnosis) {
	for _, a := range s.Addresses {
		checkup.Resolves(d, a.Host)
	}
}
