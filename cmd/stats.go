// `ulogd stats`: the counters of the running daemon.

package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ulogd/engine"
	"ulogd/engine/human"
)

func statsCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "stats",
		Short: "counters of the running daemon",
		Long: `stats prints what each plugin of the running daemon did with the records, or only those whose ids are given; below,
whether each collector, file or server that an output writes to is up, since when, and the last error.
--watch shows how many records a second, too.
` + found,
		Example: `  ulogd stats
  ulogd stats --watch
  ulogd stats ipfix1
  ulogd stats --json | jq '.[] | {id, dropped, lost}'`,
		ValidArgsFunction: begun(instancesFrom),
	}
	askOptions(c, o, "print the counters")
	does(c, o, "[ID ...]", func(o *options, stdout, stderr io.Writer) int {
		var before []engine.Snapshot
		var at time.Time
		return watch(o, stdout, stderr, func(s *screen) error {
			now, err := o.snapshot()
			if err != nil {
				return err
			}
			switch {
			case o.json:
				err = statsJSON(s.w, now)
			case o.csv:
				err = statsCSV(s.w, now)
			case o.watch:
				statsMoving(s, now, before, time.Since(at))
			default:
				statsTable(s, now)
			}
			before, at = now, time.Now()
			return err
		})
	})
	return c
}

// snapshot asks for the counters.
func (o *options) snapshot() (all []engine.Snapshot, err error) {
	socket, err := o.find()
	if err != nil {
		return nil, err
	}
	_, err = ask(socket, append([]string{"stats"}, o.words...), func(line []byte) error {
		var s engine.Snapshot
		err := json.Unmarshal(line, &s)
		all = append(all, s)
		return err
	})
	return all, err
}

func statsJSON(w io.Writer, all []engine.Snapshot) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

// statsCSV has a line for each counter, as a plugin has counters of its own.
func statsCSV(w io.Writer, all []engine.Snapshot) error {
	if err := csvLine(w, "id", "plugin", "kind", "counter", "value"); err != nil {
		return err
	}
	for _, s := range all {
		for _, list := range []struct {
			prefix string
			of     []engine.Reading
		}{{"", sums(s)}, {"filtered.", s.Exclusions}, {"dropped.", s.Drops}, {"lost.", s.Losses}, {"", s.Counters}} {
			for _, r := range list.of {
				if err := csvLine(w, s.ID, s.Plugin, s.Kind, list.prefix+r.Name, strconv.FormatInt(r.Value, 10)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sums are the counters that every instance has.
func sums(s engine.Snapshot) []engine.Reading {
	return []engine.Reading{
		{Name: "in", Value: s.In},
		{Name: "made", Value: s.Made},
		{Name: "out", Value: s.Out},
		{Name: "absorbed", Value: s.Absorbed},
		{Name: "filtered", Value: s.Filtered},
		{Name: "held", Value: s.Held},
		{Name: "dropped", Value: s.Dropped},
		{Name: "lost", Value: s.Lost},
	}
}

// statsTable prints the sums, and below what they are made of.
func statsTable(s *screen, all []engine.Snapshot) {
	cols := []column{{"id", true}, {"plugin", true}}
	for _, r := range sums(engine.Snapshot{}) {
		cols = append(cols, column{r.Name, true})
	}
	t := newTable(s, cols...)
	for _, x := range all {
		cells := []string{x.ID, x.Plugin}
		for _, r := range sums(x) {
			cells = append(cells, strconv.FormatInt(r.Value, 10))
		}
		t.add(cells...)
	}
	t.flush()
	for _, x := range all {
		state(s, x, time.Now())
		detail(s, x, "filtered as ", x.Exclusions)
		detail(s, x, "dropped as ", x.Drops)
		detail(s, x, "lost as ", x.Losses)
		detail(s, x, "", x.Counters)
	}
}

// state says what works just now and what does not.
func state(s *screen, x engine.Snapshot, now time.Time) {
	if x.Down != "" {
		what := "down"
		if x.Ended {
			what = "ended"
		}
		s.prose(x.ID + ": " + what + ": " + x.Down)
	}
	for _, p := range x.Peers {
		s.prose(x.ID + ": " + peerLine(p, now))
	}
}

// peerLine says of a collector, file or server whether it is up, since when, and what waits for it.
func peerLine(p engine.PeerState, now time.Time) string {
	line := p.Name + " is "
	if p.Up {
		line += "up"
	} else {
		line += "down"
	}
	line += " since " + p.Since.Local().Format(time.DateTime) + " (" + human.Duration(now.Sub(p.Since)) + ")"
	if p.Buffer > 0 {
		line += fmt.Sprintf(", %s of %s wait in memory", human.Octets(uint64(p.Buffer)),
			human.Octets(uint64(max(p.BufferMax, 0))))
	}
	if p.Spool > 0 {
		line += fmt.Sprintf(", %s of %s on disk", human.Octets(uint64(p.Spool)), human.Octets(uint64(max(p.SpoolMax, 0))))
	}
	switch {
	case p.Error == "":
	case p.Up:
		line += "; the last error was: " + p.Error
	default:
		line += ": " + p.Error
	}
	return line
}

func detail(s *screen, x engine.Snapshot, kind string, list []engine.Reading) {
	for _, c := range list {
		if c.Value != 0 {
			s.prose(fmt.Sprintf("%s: %s%s %d", x.ID, kind, c.Name, c.Value))
		}
	}
}

// statsMoving is the picture of --watch: how fast each counter grows, and what was lost in all.
func statsMoving(s *screen, now, before []engine.Snapshot, since time.Duration) {
	t := newTable(s, column{"id", false}, column{"plugin", false}, column{"in/s", true}, column{"made/s", true},
		column{"out/s", true},
		column{"absorbed/s", true}, column{"filtered/s", true}, column{"held", true}, column{"dropped/s", true},
		column{"dropped", true}, column{"lost", true})
	for _, x := range now {
		var old engine.Snapshot
		known := false
		if i := slices.IndexFunc(before, func(o engine.Snapshot) bool {
			return o.ID == x.ID && o.Plugin == x.Plugin && o.Kind == x.Kind
		}); i >= 0 {
			old, known = before[i], true
		}
		rate := func(now, before int64) string {
			if !known || since <= 0 {
				return "-"
			}
			return human.Count(uint64(max(float64(now-before)/since.Seconds()+0.5, 0)))
		}
		t.add(x.ID, x.Plugin, rate(x.In, old.In), rate(x.Made, old.Made), rate(x.Out, old.Out),
			rate(x.Absorbed, old.Absorbed), rate(x.Filtered, old.Filtered),
			human.Count(uint64(max(x.Held, 0))), rate(x.Dropped, old.Dropped), human.Count(uint64(max(x.Dropped, 0))),
			human.Count(uint64(max(x.Lost, 0))))
	}
	t.flush()
	for _, x := range now {
		state(s, x, time.Now())
		detail(s, x, "dropped as ", x.Drops)
		detail(s, x, "lost as ", x.Losses)
	}
}
