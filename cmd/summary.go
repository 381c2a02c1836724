// The counters as people read them.

package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"ulogd/engine"
)

// summary logs what every instance did, and returns how many records were dropped.
func (p *process) summary(took time.Duration) (dropped int64) {
	for _, s := range p.plan.Machine.Snapshot() {
		dropped += s.Dropped
		args := []any{"id", s.ID, "plugin", s.Plugin}
		for _, c := range []engine.Reading{
			{Name: "in", Value: s.In},
			{Name: "made", Value: s.Made},
			{Name: "out", Value: s.Out},
			{Name: "absorbed", Value: s.Absorbed},
			{Name: "filtered", Value: s.Filtered},
			{Name: "held", Value: s.Held},
			{Name: "dropped", Value: s.Dropped},
			{Name: "lost", Value: s.Lost},
		} {
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

// writeStats answers `ulogd stats`.
func writeStats(w io.Writer, stats []engine.Snapshot, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(stats)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "id\tplugin\tin\tmade\tout\tabsorbed\tfiltered\theld\tdropped\tlost\t")
	for _, s := range stats {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", s.ID, s.Plugin, s.In, s.Made, s.Out, s.Absorbed, s.Filtered, s.Held, s.Dropped, s.Lost)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range stats {
		detail(w, s, "filtered as ", s.Exclusions)
		detail(w, s, "dropped as ", s.Drops)
		detail(w, s, "lost as ", s.Losses)
		detail(w, s, "", s.Counters)
	}
	return nil
}

func detail(w io.Writer, s engine.Snapshot, kind string, list []engine.Reading) {
	for _, c := range list {
		if c.Value != 0 {
			fmt.Fprintf(w, "%s: %s%s %d\n", s.ID, kind, c.Name, c.Value)
		}
	}
}
