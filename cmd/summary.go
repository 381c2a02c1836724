// The counters in the log, at the end.

package cmd

import (
	"time"

	"ulogd/engine"
)

// summary logs what every instance did, and returns how many records were dropped.
func (p *process) summary(took time.Duration) (dropped int64) {
	for _, s := range p.plan.Machine.Snapshot() {
		dropped += s.Dropped
		args := []any{"id", s.ID, "plugin", s.Plugin}
		for _, c := range sums(s) {
			if c.Value != 0 {
				args = append(args, c.Name, c.Value)
			}
		}
		for _, list := range [][]engine.Reading{s.Exclusions, s.Drops, s.Losses, s.Counters} {
			for _, c := range list {
				if c.Value != 0 {
					args = append(args, c.Name, c.Value)
				}
			}
		}
		p.log.Warn("summary", append(args, "after", took.Round(time.Millisecond))...)
	}
	return dropped
}
