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
		p.summarize("summary", s, "after", took.Round(time.Millisecond))
	}
	return dropped
}

// summarize logs the counters of one instance.
func (p *process) summarize(what string, s engine.Snapshot, more ...any) {
	args := []any{"id", s.ID, "plugin", s.Plugin}
	for _, list := range [][]engine.Reading{sums(s), s.Exclusions, s.Drops, s.Losses, s.Counters} {
		for _, c := range list {
			if c.Value != 0 {
				args = append(args, c.Name, c.Value)
			}
		}
	}
	p.log.Warn(what, append(args, more...)...)
}
