// Commands that ask the running daemon: what they share.

package cmd

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// askOptions declares what the commands that ask a daemon take.
func askOptions(c *cobra.Command, o *options, what string) {
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.socket, "socket", "", "ask the daemon behind the control socket `PATH`")
	f.BoolVar(&o.watch, "watch", false, "repeat, and show how fast it goes")
	f.DurationVar(&o.interval, "interval", 2*time.Second, "`TIME` between two pictures of --watch")
	f.BoolVar(&o.json, "json", false, what+" as JSON")
	f.BoolVar(&o.csv, "csv", false, what+" as CSV")
	c.MarkFlagsMutuallyExclusive("json", "csv")
	c.MarkFlagFilename("socket")
}

// found says which daemon is meant.
const found = `
It asks the daemon that runs, on its control socket (root's are in /run/ulogd, others' in $XDG_RUNTIME_DIR). Where several
run, -c FILE chooses the one with that configuration, and --socket PATH one by its socket.`

// watch calls show once, or again and again with --watch, until it fails.
func watch(o *options, stdout, stderr io.Writer, show func(s *screen) error) int {
	s := newScreen(stdout)
	if !o.watch {
		err := show(s)
		s.w.Flush()
		return report(err, stderr)
	}
	if o.interval < 100*time.Millisecond {
		return report(fmt.Errorf("--interval %v: give 100ms or more", o.interval), stderr)
	}
	for first := true; ; first = false {
		if f, ok := stdout.(*os.File); ok && s.terminal() {
			s.resize(f)
		}
		s.home()
		if !first && !s.terminal() && !o.json && !o.csv {
			s.line("")
		}
		err := show(s)
		s.end()
		if err != nil {
			return report(err, stderr)
		}
		time.Sleep(o.interval)
	}
}

// unableTo tells of plugins that did not answer.
func unableTo(unable []string, stderr io.Writer) {
	for _, u := range unable {
		fmt.Fprintln(stderr, "ulogd: "+printable(u))
	}
}

// csvLine writes values as a line of CSV.
func csvLine(w io.Writer, values ...string) error {
	c := csv.NewWriter(w)
	c.Write(values)
	c.Flush()
	return c.Error()
}

// wordsFrom completes words NAME=VALUE.
func wordsFrom(all []string, values map[string][]string) completion {
	return func(_ *cobra.Command, words []string, typed string) (left []string, _ cobra.ShellCompDirective) {
		if name, _, ok := strings.Cut(typed, "="); ok {
			for _, v := range values[name] {
				left = append(left, name+"="+v)
			}
			return left, cobra.ShellCompDirectiveNoFileComp
		}
		for _, w := range all {
			used := false
			for _, given := range words {
				used = used || strings.HasPrefix(given, w)
			}
			if !used {
				left = append(left, w)
			}
		}
		return left, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}
