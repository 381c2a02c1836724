// Package health says whether a daemon is alive, and whether it does what its configuration asks: for
// whoever watches it over HTTP, and for the service manager's watchdog.
package health

import (
	"fmt"
	"time"

	"ulogd/engine"
)

// stuckAfter is how long a goroutine that reads or writes records may stand still for no reason
// that is known.
const stuckAfter = 60 * time.Second

// Alive lists goroutines that do not turn. Who waits for a collector that is away, or for room in a
// queue, is well.
func Alive(m *engine.Machine, now time.Time) (troubles []string) {
	survey := m.Survey()
	all := survey.Snapshots
	for _, p := range survey.Paths {
		in, out := &all[p.Instances[0]], &all[p.Instances[len(p.Instances)-1]]
		waits := away(out)
		if s := stuck(out, now); s > 0 && out.QueueMax > 0 && !waits {
			troubles = append(troubles, fmt.Sprintf("%s:%s has stood still for %v", out.ID, out.Plugin, s))
		}
		waits = waits || out.QueueMax == 0 && !out.Turned.IsZero() && stuck(out, now) == 0 // the input's goroutine does
		full := out.QueueMax > 0 && out.QueueMax-out.Queue <= engine.BatchSize
		if s := stuck(in, now); s > 0 && !waits && !full && !in.Ended {
			troubles = append(troubles, fmt.Sprintf("%s:%s has stood still for %v", in.ID, in.Plugin, s))
		}
	}
	return unique(troubles)
}

func stuck(s *engine.Snapshot, now time.Time) time.Duration {
	if still := now.Sub(s.Turned); !s.Turned.IsZero() && still > stuckAfter {
		return still.Round(time.Second)
	}
	return 0
}

// Ready lists what keeps records from flowing as the configuration asks. missing are its stacks
// that were left out.
func Ready(m *engine.Machine, missing []string) (troubles []string) {
	for _, name := range missing {
		troubles = append(troubles, "the stack "+name+" is left out; the log says why")
	}
	outputs, down := 0, 0
	for _, s := range m.Snapshot() {
		if s.Down != "" {
			troubles = append(troubles, fmt.Sprintf("the input %s:%s is down: %s", s.ID, s.Plugin, s.Down))
		}
		if s.Kind == engine.OutputKind.String() {
			outputs++
			if away(&s) {
				down++
			}
		}
	}
	if outputs > 0 && down == outputs {
		troubles = append(troubles, "all outputs are down")
	}
	return troubles
}

// away reports whether an output has peers, and none of them takes records.
func away(s *engine.Snapshot) bool {
	for _, p := range s.Peers {
		if p.Up {
			return false
		}
	}
	return len(s.Peers) > 0
}

func unique(list []string) (out []string) {
	said := map[string]bool{}
	for _, text := range list {
		if !said[text] {
			out = append(out, text)
		}
		said[text] = true
	}
	return out
}
