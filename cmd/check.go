// Commands that read a configuration and open nothing: -t and convert.

package cmd

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/stacks"
)

// check is -t: it reads the configuration and fits the stacks together, and opens nothing.
func check(o *options, stdout, stderr io.Writer) int {
	file, problems := conf.Load(o.config)
	plan, more := stacks.Build(file, &engine.Default, slog.New(slog.DiscardHandler))
	problems = append(problems, more...)
	problems.Sort()
	for _, p := range problems {
		fmt.Fprintln(stderr, describe(p))
	}
	if o.verbose {
		plan.Explain(stdout)
	}
	if n := len(problems.Errors()); n > 0 {
		fmt.Fprintf(stderr, "%s: %s\n", o.config, count(n, "error"))
		return exitError
	}
	fmt.Fprintf(stdout, "%s: good, %s\n", o.config, count(len(plan.Stacks), "stack"))
	return exitOK
}

func describe(p conf.Problem) string {
	if p.Warning {
		return "warning: " + p.Error()
	}
	return p.Error()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func convertCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:     "convert",
		Short:   "print a ulogd.conf as TOML",
		Long:    "convert prints a ulogd.conf as TOML: the same stacks with the same settings, comments left out.",
		Example: "  ulogd convert /etc/ulogd.conf > /etc/ulogd.toml",
	}
	does(c, o, "FILE", func(o *options, stdout, stderr io.Writer) int {
		file, problems := conf.Load(o.words[0])
		for _, p := range problems {
			fmt.Fprintln(stderr, describe(p))
		}
		if len(problems.Errors()) > 0 {
			return exitError
		}
		stdout.Write(file.TOML(stacks.KindOf(file, &engine.Default)))
		return exitOK
	})
	return c
}
