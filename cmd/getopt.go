// Arguments as getopt_long(3) reads them, which is how ulogd2's are read.

package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// atOnce are the options that act when they are met: what stands behind them is not looked at.
var atOnce = []string{"help", "version", "info"}

// completing reports whether a shell asks what may come next: cobra reads such a line, which is not whole, itself.
func completing(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// canonical writes arguments so that pflag cannot but read them as getopt_long does: short options may be joined, long
// ones shortened, and options may stand behind words. The first word is a command. What comes out is the command, the
// options in full, "--" and the other words.
func canonical(root *cobra.Command, args []string) ([]string, error) {
	l := &line{cmd: root}
	for len(args) > 0 && !l.done {
		arg := args[0]
		args = args[1:]
		var err error
		switch {
		case arg == "--":
			for _, a := range args {
				if err = l.word(a); err != nil {
					break
				}
			}
			args = nil
		case strings.HasPrefix(arg, "--"):
			args, err = l.long(arg[2:], args)
		case len(arg) > 1 && arg[0] == '-':
			args, err = l.short(arg[1:], args)
		default:
			err = l.word(arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return l.args()
}

// line is a command line that is being read.
type line struct {
	cmd   *cobra.Command
	path  []string
	given []option
	words []string
	done  bool
}

// option is one option that was given, as it was written and in full.
type option struct {
	written, name, value string
	has                  bool
}

func (o option) String() string {
	if o.has {
		return "--" + o.name + "=" + o.value
	}
	return "--" + o.name
}

func (l *line) word(w string) error {
	if !l.cmd.HasSubCommands() {
		l.words = append(l.words, w)
		return nil
	}
	sub, err := subcommand(l.cmd, w)
	if err != nil {
		return err
	}
	l.cmd, l.path = sub, append(l.path, sub.Name())
	return nil
}

// long handles a long option and returns the arguments that are left.
func (l *line) long(arg string, args []string) ([]string, error) {
	name, value, has := strings.Cut(arg, "=")
	f, err := l.find(name)
	switch {
	case err != nil:
		return nil, err
	case !takesValue(f) && has:
		return nil, fmt.Errorf("option --%s takes no argument", f.Name)
	case takesValue(f) && !has:
		if len(args) == 0 {
			return nil, fmt.Errorf("option --%s needs an argument", f.Name)
		}
		value, args = args[0], args[1:]
	}
	l.give("--"+name, f, value)
	return args, nil
}

// short handles a run of joined short options and returns the arguments that are left.
func (l *line) short(run string, args []string) ([]string, error) {
	for run != "" && !l.done {
		c := run[:1]
		run = run[1:]
		var f *pflag.Flag
		l.flags(func(g *pflag.Flag) {
			if g.Shorthand == c {
				f = g
			}
		})
		switch {
		case f == nil:
			return nil, l.unknown("-" + c)
		case !takesValue(f):
			l.give("-"+c, f, "")
			continue
		case run == "" && len(args) == 0:
			return nil, fmt.Errorf("option -%s needs an argument", c)
		case run == "":
			run, args = args[0], args[1:]
		}
		l.give("-"+c, f, run)
		break
	}
	return args, nil
}

func takesValue(f *pflag.Flag) bool { return f.NoOptDefVal == "" }

func (l *line) give(written string, f *pflag.Flag, value string) {
	l.given = append(l.given, option{written, f.Name, value, takesValue(f)})
	l.done = slices.Contains(atOnce, f.Name)
}

// flags visits the options of the command and those that all commands have.
func (l *line) flags(visit func(*pflag.Flag)) {
	l.cmd.LocalFlags().VisitAll(visit)
	l.cmd.InheritedFlags().VisitAll(visit)
}

// find returns the option of a name, or the only one that begins so.
func (l *line) find(name string) (*pflag.Flag, error) {
	var fit []*pflag.Flag
	l.flags(func(f *pflag.Flag) {
		if strings.HasPrefix(f.Name, name) && !slices.Contains(fit, f) {
			fit = append(fit, f)
		}
	})
	if i := slices.IndexFunc(fit, func(f *pflag.Flag) bool { return f.Name == name }); i >= 0 {
		return fit[i], nil
	}
	switch len(fit) {
	case 0:
		return nil, l.unknown("--" + name)
	case 1:
		return fit[0], nil
	}
	var names []string
	for _, f := range fit {
		names = append(names, "--"+f.Name)
	}
	return nil, fmt.Errorf("option `--%s' is ambiguous: it could be %s", name, strings.Join(names, " or "))
}

func (l *line) unknown(written string) error {
	return fmt.Errorf("unknown option `%s'; %s --help lists those that there are", written, l.cmd.CommandPath())
}

// args returns the line in full. What was given in front of the command must be an option of that command.
func (l *line) args() ([]string, error) {
	args := slices.Clone(l.path)
	for _, o := range l.given {
		known := false
		l.flags(func(f *pflag.Flag) { known = known || f.Name == o.name })
		if !known {
			return nil, l.unknown(o.written)
		}
		args = append(args, o.String())
	}
	if len(l.words) > 0 {
		args = append(append(args, "--"), l.words...)
	}
	return args, nil
}
