// Commands that read a configuration and open nothing: -t and convert.

package cmd

import (
	"errors"
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
		Use:   "convert",
		Short: "print a ulogd.conf as TOML",
		Long: `convert prints a ulogd.conf as TOML: the same stacks with the same settings, comments left out. Passwords
are not shown: where one was, the section names the file that it is to be put into. convert says which of the stacks
are refused, which in TOML would keep the others from running, too; the exit code is 1 then.`,
		Example: "  ulogd convert /etc/ulogd.conf > /etc/ulogd.toml\n  ulogd convert -c /etc/ulogd.conf",
	}
	does(c, o, "[FILE]", convert)
	return c
}

func convert(o *options, stdout, stderr io.Writer) int {
	path := o.config
	if len(o.words) > 0 {
		path = o.words[0]
		if o.configGiven && o.config != path {
			return report(fmt.Errorf("two files are given, %s and -c %s; one is converted at a time", path, o.config), stderr)
		}
	} else if !o.configGiven {
		return report(errors.New("usage: ulogd convert FILE\nulogd: ulogd convert --help says more"), stderr)
	}
	file, problems := conf.Load(path)
	for _, p := range problems {
		fmt.Fprintln(stderr, describe(p))
	}
	if len(problems.Errors()) > 0 {
		return exitError
	}
	shown, hidden := file.WithoutSecrets()
	for _, p := range hidden {
		fmt.Fprintln(stderr, describe(p))
	}
	stdout.Write(shown.TOML(stacks.KindOf(file, &engine.Default)))
	_, refused := stacks.Build(file, &engine.Default, slog.New(slog.DiscardHandler))
	for _, p := range refused {
		fmt.Fprintln(stderr, describe(p))
	}
	if n := len(refused.Errors()); n > 0 {
		fmt.Fprintf(stderr, "%s: %s: mend that, as a TOML file with an error is not run\n", path, count(n, "error"))
		return exitError
	}
	return exitOK
}
