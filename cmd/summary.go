// The counters in the log, at the end.

package cmd

import (
	"fmt"
	"strings"
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
	p.inform(what, append(args, more...)...)
}

// lastLine says in a line of at most 120 columns what became of the records.
func lastLine(all []engine.Snapshot, took time.Duration) string {
	var read, written, filtered, dropped, lost int64
	var why []string
	for _, s := range all {
		switch s.Kind {
		case engine.InputKind.String():
			read += s.Made
		case engine.OutputKind.String():
			written += s.Out
		}
		filtered += s.Filtered
		dropped += s.Dropped
		lost += s.Lost
		for _, list := range [][]engine.Reading{s.Drops, s.Losses} {
			for _, r := range list {
				if r.Value != 0 {
					why = append(why, fmt.Sprintf("%s %s %d", s.ID, r.Name, r.Value))
				}
			}
		}
	}
	parts := []string{fmt.Sprintf("%d records read", read), fmt.Sprintf("%d written", written)}
	if filtered > 0 {
		parts = append(parts, fmt.Sprintf("%d left out", filtered))
	}
	switch {
	case dropped+lost == 0:
		parts = append(parts, "none lost")
	default:
		parts = append(parts, fmt.Sprintf("%d dropped", dropped), fmt.Sprintf("%d lost before", lost))
	}
	line := strings.Join(parts, ", ") + fmt.Sprintf(" in %.2f s", took.Seconds())
	for i, w := range why {
		next := ": " + w
		if i > 0 {
			next = ", " + w
		}
		if len(line)+len(next) > 116 {
			return line + " ..."
		}
		line += next
	}
	return line
}
