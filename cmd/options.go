package cmd

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// options are ulogd2's command-line options, and -t.
type options struct {
	help, version, daemon, verbose, test bool
	config, pidfile, user, info          string
	loglevel                             int
}

// flag is one option: its names, whether it takes an argument, and what it does.
type flag struct {
	short byte
	long  string
	arg   string
	doc   string
	set   func(o *options, value string) error
}

var flags = []flag{
	{'h', "help", "", "this text", func(o *options, _ string) error { o.help = true; return nil }},
	{'V', "version", "", "print the version", func(o *options, _ string) error { o.version = true; return nil }},
	{'d', "daemon", "", "go to the background once everything is open", func(o *options, _ string) error { o.daemon = true; return nil }},
	{'v', "verbose", "", "log to standard error too; with -t, say who gives each key to whom", func(o *options, _ string) error { o.verbose = true; return nil }},
	{'t', "test", "", "check the configuration, without root and without opening anything", func(o *options, _ string) error { o.test = true; return nil }},
	{'l', "loglevel", "N", "least level to log: 1 debug, 3 info, 5 notice, 7 error, 8 fatal", func(o *options, v string) error {
		o.loglevel, _ = strconv.Atoi(v) // not a number: not given, as ulogd2 takes it
		return nil
	}},
	{'c', "configfile", "FILE", "configuration, ulogd.conf or TOML (" + DefaultConfig + ")", func(o *options, v string) error { o.config = v; return nil }},
	{'p', "pidfile", "FILE", "write and lock a pid file", func(o *options, v string) error { o.pidfile = v; return nil }},
	{'u', "uid", "USER", "run as this user, keeping only the capabilities that are needed", func(o *options, v string) error { o.user = v; return nil }},
	{'i', "info", "PLUGIN", "print a plugin's manual: a name or the path of ulogd2's .so", func(o *options, v string) error { o.info = v; return nil }},
}

func usage(w io.Writer) {
	fmt.Fprintf(w, `ulogd %s logs packets and flows of the Linux kernel. There is no warranty.
Parameters:
`, Version())
	for _, f := range flags {
		fmt.Fprintf(w, "\t-%c --%s %s\t%s\n", f.short, f.long, f.arg, f.doc)
	}
	fmt.Fprint(w, `Commands:
	stats [--json] [-c FILE]           counters of the running daemon
	flows [-c FILE] [--watch] [WORDS]  live flows of the running daemon
	plugins [NAME]                     plugins, or the manual of one
	convert FILE                       print a ulogd.conf as TOML
`)
}

// parseOptions reads arguments as getopt_long(3) does: short options may be joined, long ones shortened, and what is no option is ignored.
func parseOptions(args []string) (*options, error) {
	o := &options{config: DefaultConfig}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return o, nil
		case strings.HasPrefix(arg, "--"):
			name, value, has := strings.Cut(arg[2:], "=")
			f, err := longFlag(name)
			if err != nil {
				return nil, err
			}
			if f.arg == "" && has {
				return nil, fmt.Errorf("option --%s takes no argument", f.long)
			}
			if f.arg != "" && !has {
				if len(args) == 0 {
					return nil, fmt.Errorf("option --%s needs an argument", f.long)
				}
				value, args = args[0], args[1:]
			}
			if err := f.set(o, value); err != nil {
				return nil, err
			}
		case len(arg) > 1 && arg[0] == '-':
			rest, err := o.short(arg[1:], args)
			if err != nil {
				return nil, err
			}
			args = rest
		}
		if o.help || o.version || o.info != "" { // these act at once
			return o, nil
		}
	}
	return o, nil
}

// short handles a run of joined short options and returns the arguments that are left.
func (o *options) short(run string, args []string) ([]string, error) {
	for i := 0; i < len(run); i++ {
		f, err := shortFlag(run[i])
		if err != nil {
			return nil, err
		}
		value := ""
		if f.arg != "" {
			value = run[i+1:]
			if value == "" {
				if len(args) == 0 {
					return nil, fmt.Errorf("option -%c needs an argument", f.short)
				}
				value, args = args[0], args[1:]
			}
			i = len(run)
		}
		if err := f.set(o, value); err != nil {
			return nil, err
		}
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

func longFlag(name string) (found flag, err error) {
	n := 0
	for _, f := range flags {
		if f.long == name {
			return f, nil
		}
		if strings.HasPrefix(f.long, name) {
			found = f
			n++
		}
	}
	switch n {
	case 0:
		return flag{}, fmt.Errorf("unknown option `--%s'", name)
	case 1:
		return found, nil
	}
	return flag{}, fmt.Errorf("option `--%s' is ambiguous", name)
}
