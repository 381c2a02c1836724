// The command line: ulogd2's options, those of the commands, and how they are read.

package cmd

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// options is what the command line says.
type options struct {
	help, version, daemon, verbose, test bool
	json, watch                          bool
	config, pidfile, user, info          string
	loglevel                             int
	words                                []string // what is no option
}

// flag is one option: its names, what its argument is called (empty: it takes none), and what it does.
type flag struct {
	short byte
	long  string
	arg   string
	doc   string
	set   func(o *options, value string)
}

var flags = []flag{
	{'h', "help", "", "this text", func(o *options, _ string) { o.help = true }},
	{'V', "version", "", "print the version", func(o *options, _ string) { o.version = true }},
	{'d', "daemon", "", "go to the background once everything is open", func(o *options, _ string) { o.daemon = true }},
	{'v', "verbose", "", "log to standard error too; with -t, say who gives each key to whom", func(o *options, _ string) { o.verbose = true }},
	{'t', "test", "", "check the configuration, without root and without opening anything", func(o *options, _ string) { o.test = true }},
	{'l', "loglevel", "N", "least level to log: 1 debug, 3 info, 5 notice, 7 error, 8 fatal", func(o *options, v string) {
		o.loglevel, _ = strconv.Atoi(v) // not a number: not given, as ulogd2 takes it
	}},
	{'c', "configfile", "FILE", "configuration, ulogd.conf or TOML; default " + DefaultConfig, func(o *options, v string) { o.config = v }},
	{'p', "pidfile", "FILE", "write and lock a pid file", func(o *options, v string) { o.pidfile = v }},
	{'u', "uid", "USER", "run as this user, keeping CAP_NET_ADMIN alone", func(o *options, v string) { o.user = v }},
	{'i', "info", "PLUGIN", "print a plugin's manual: a name, or the path of ulogd2's .so", func(o *options, v string) { o.info = v }},
	{0, "json", "", "stats: print JSON", func(o *options, _ string) { o.json = true }},
	{0, "watch", "", "flows: repeat every two seconds", func(o *options, _ string) { o.watch = true }},
}

func usage(w io.Writer) {
	fmt.Fprintf(w, "ulogd %s logs packets and flows of the Linux kernel. There is no warranty.\nParameters:\n", Version())
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, f := range flags {
		if f.short == 0 {
			continue // stands with its command
		}
		fmt.Fprintf(t, "\t-%c --%s %s\t%s\n", f.short, f.long, f.arg, f.doc)
	}
	fmt.Fprintln(t, "Commands:")
	for _, c := range commands {
		fmt.Fprintf(t, "\t%s %s\t%s\n", c.name, c.args, c.doc)
	}
	t.Flush()
	fmt.Fprint(w, `Exit codes:
  0  ended as asked, or all finite inputs came to their end and everything is out
  1  error; with -t, the configuration has one; doctor: something was found
  2  the log file cannot be opened
  3  finite inputs came to their end, but records were dropped
`)
}

// parseOptions reads arguments as getopt_long(3) does: short options may be joined, long ones shortened, and options may stand behind words.
func parseOptions(args []string) (*options, error) {
	o := &options{config: DefaultConfig}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var err error
		switch {
		case arg == "--":
			o.words = append(o.words, args...)
			return o, nil
		case strings.HasPrefix(arg, "--"):
			args, err = o.long(arg[2:], args)
		case len(arg) > 1 && arg[0] == '-':
			args, err = o.short(arg[1:], args)
		default:
			o.words = append(o.words, arg)
		}
		if err != nil {
			return nil, err
		}
		if o.help || o.version || o.info != "" { // these act at once
			return o, nil
		}
	}
	return o, nil
}

// long handles a long option and returns the arguments that are left.
func (o *options) long(arg string, args []string) ([]string, error) {
	name, value, has := strings.Cut(arg, "=")
	f, err := longFlag(name)
	switch {
	case err != nil:
		return nil, err
	case f.arg == "" && has:
		return nil, fmt.Errorf("option --%s takes no argument", f.long)
	case f.arg != "" && !has:
		if len(args) == 0 {
			return nil, fmt.Errorf("option --%s needs an argument", f.long)
		}
		value, args = args[0], args[1:]
	}
	f.set(o, value)
	return args, nil
}

// short handles a run of joined short options and returns the arguments that are left.
func (o *options) short(run string, args []string) ([]string, error) {
	for run != "" {
		f, err := shortFlag(run[0])
		if err != nil {
			return nil, err
		}
		run = run[1:]
		if f.arg == "" {
			f.set(o, "")
			continue
		}
		if run == "" {
			if len(args) == 0 {
				return nil, fmt.Errorf("option -%c needs an argument", f.short)
			}
			run, args = args[0], args[1:]
		}
		f.set(o, run)
		break
	}
	return args, nil
}

func shortFlag(c byte) (flag, error) {
	for _, f := range flags {
		if f.short == c {
			return f, nil
		}
	}
	return flag{}, fmt.Errorf("unknown option `-%c'", c)
}

func longFlag(name string) (flag, error) {
	var fit []flag
	for _, f := range flags {
		if f.long == name {
			return f, nil
		}
		if strings.HasPrefix(f.long, name) {
			fit = append(fit, f)
		}
	}
	switch len(fit) {
	case 0:
		return flag{}, fmt.Errorf("unknown option `--%s'", name)
	case 1:
		return fit[0], nil
	}
	return flag{}, fmt.Errorf("option `--%s' is ambiguous: it could be --%s or --%s", name, fit[0].long, fit[1].long)
}
