// The commands and their options.

package cmd

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/stacks"
)

// options is what the command line says.
type options struct {
	help, version, daemon, verbose, test bool
	json, csv, watch, services, total    bool
	dryRun                               bool
	rounds                               int
	interval                             time.Duration
	socket, read, to, as, filter         string
	adhoc                                *adhoc // in place of the configuration's file
	configGiven                          bool   // -c
	config, pidfile, user, info          string
	loglevel                             level
	words                                []string // what is no option
}

// level is a level of the log, as ulogd2's number; 0 where it is not given.
type level int

func (l *level) Set(text string) error {
	n, err := stacks.ParseLevel(text)
	*l = level(n)
	return err
}

func (l *level) String() string {
	if *l == 0 {
		return ""
	}
	return fmt.Sprint(int(*l))
}

func (l *level) Type() string { return "LEVEL" }

// A task is what a command does. What it says itself it need not return as an error: its exit code is enough.
type task func(o *options, stdout, stderr io.Writer) int

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:   "ulogd",
		Short: "log packets and flows of the Linux kernel",
		Long: `ulogd logs packets and flows of the Linux kernel. Without a command it runs the stacks
of its configuration, in the foreground until it is told to end.

Exit codes:
  0  ended as asked, or all finite inputs came to their end and everything is out
  1  error; with -t, the configuration has one; doctor: something was found
  2  the log file cannot be opened
  3  finite inputs came to their end, but records were dropped`,
		Example: `  ulogd -t -v -c ulogd.conf                       # check it, and see who gives each key to whom
  ulogd -v -c ulogd.conf                          # run it and look on
  ulogd -d -u ulog -p /run/ulogd.pid              # run it in the background, as a user of its own
  ulogd -r x.pcap                                 # the flows of a capture, on the screen
  kill -HUP $(cat /run/ulogd.pid)                 # open files anew, after logrotate`,
		Run: func(*cobra.Command, []string) {},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)

	all := root.PersistentFlags()
	all.SortFlags = false
	all.BoolVarP(&o.help, "help", "h", false, "say what the command does and what it takes")
	all.StringVarP(&o.config, "configfile", "c", "", "read `FILE`, a ulogd.conf, or TOML if its name has "+
		".toml in it; unless it is given, the first that is there of "+strings.Join(configs, ", "))
	root.MarkPersistentFlagFilename("configfile", "conf", "toml")

	f := root.Flags()
	f.SortFlags = false
	f.BoolVarP(&o.test, "test", "t", false, "check the configuration, without root and without opening anything")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log to standard error too; with -t, say who gives each key to whom")
	f.VarP(&o.loglevel, "loglevel", "l", "log from `LEVEL` on: "+stacks.LevelNames)
	f.BoolVarP(&o.daemon, "daemon", "d", false, "go to the background once everything is open")
	f.StringVarP(&o.user, "uid", "u", "", "run as `USER`, keeping CAP_NET_ADMIN alone")
	f.StringVarP(&o.pidfile, "pidfile", "p", "", "write and lock the pid file `FILE`")
	f.StringVarP(&o.info, "info", "i", "", "print the manual of `PLUGIN`: its name, or the path of ulogd2's .so")
	f.StringVarP(&o.read, "read", "r", "", "print the flows of the capture `FILE` (- for a pipe) as a table")
	f.BoolVarP(&o.version, "version", "V", false, "print the version")
	complete(root, "loglevel", levelsFrom)
	complete(root, "info", pluginsFrom)
	complete(root, "uid", usersFrom)

	does(root, o, "", func(o *options, stdout, stderr io.Writer) int {
		switch {
		case o.version:
			return version(o, stdout, stderr)
		case o.info != "":
			return info(o.info, stdout, stderr)
		case o.read != "":
			return replay(o, stderr)
		case o.test:
			return check(o, stdout, stderr)
		}
		return daemon(o, stderr)
	})
	root.AddCommand(
		pluginsCommand(o), convertCommand(o), doctorCommand(o), statsCommand(o), flowsCommand(o), topCommand(o),
		runCommand(o),
		liveCommand(o), reloadCommand(o), pageCommand(o), versionCommand(o),
	)
	root.AddCommand(houseCommands(o)...)
	root.SetHelpCommand(helpCommand(o))
	root.InitDefaultHelpCmd() // now, since canonical looks the commands up
	root.InitDefaultCompletionCmd()
	if c, err := subcommand(root, "completion"); err == nil {
		c.Short = "print what makes TAB complete commands, plugins and ids in bash, zsh or fish"
		c.Long = c.Short + "; each shell's own --help says how."
		if power, err := subcommand(c, "powershell"); err == nil {
			c.RemoveCommand(power)
		}
	}
	return root
}

// does gives a command its task. Its words are those that usage names, such as "FILE" or "[NAME ...]".
func does(c *cobra.Command, o *options, usage string, do task) {
	if usage != "" {
		c.Use += " " + usage
	}
	c.SilenceErrors, c.SilenceUsage = true, true // run says what is wrong
	c.DisableFlagsInUseLine = usage != ""
	least, most := bounds(usage)
	c.Args = func(_ *cobra.Command, words []string) error {
		if len(words) < least || most >= 0 && len(words) > most {
			return fmt.Errorf("usage: %s\nulogd: %s --help says more", c.UseLine(), c.CommandPath())
		}
		return nil
	}
	c.Run = nil
	c.RunE = func(c *cobra.Command, words []string) error {
		o.words = words
		if o.configGiven = c.Flags().Changed("configfile"); !o.configGiven {
			o.config = defaultConfig()
		}
		return ended(do(o, c.OutOrStdout(), c.ErrOrStderr()))
	}
}

// bounds says how many words a usage asks for; most is negative where there is no end.
func bounds(usage string) (least, most int) {
	for _, w := range strings.Fields(usage) {
		switch {
		case strings.HasPrefix(w, "..."):
			return least, -1
		case !strings.HasPrefix(w, "["):
			least++
		}
		most++
	}
	return least, most
}

func versionCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "print the version"}
	does(c, o, "", version)
	return c
}

func version(_ *options, stdout, _ io.Writer) int {
	fmt.Fprintln(stdout, "ulogd Version", Version())
	fmt.Fprintln(stdout, "Licensed under the Apache License, Version 2.0. There is no warranty.")
	return exitOK
}

// helpCommand is what `ulogd help stats` says, which is `ulogd stats --help`.
func helpCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:               "help",
		Short:             "say what a command does and what it takes",
		Example:           "  ulogd help stats",
		ValidArgsFunction: begun(commandsFrom),
	}
	does(c, o, "[COMMAND]", func(o *options, _, stderr io.Writer) int {
		of := c.Root()
		for _, word := range o.words {
			sub, err := subcommand(of, word)
			if err != nil {
				return report(err, stderr)
			}
			of = sub
		}
		return report(of.Help(), stderr)
	})
	return c
}

// subcommand finds a command by its name.
func subcommand(of *cobra.Command, name string) (*cobra.Command, error) {
	var names []string
	for _, c := range of.Commands() {
		if c.Name() == name {
			return c, nil
		}
		if c.IsAvailableCommand() || c.Name() == "help" {
			names = append(names, c.Name())
		}
	}
	if near, ok := conf.Nearest(name, names); ok {
		return nil, fmt.Errorf("there is no command %s; did you mean %s?", name, near)
	}
	return nil, fmt.Errorf("there is no command %s; there are %s", name, strings.Join(names, ", "))
}

// What shells are told when TAB is pressed.

type completion = func(c *cobra.Command, words []string, typed string) ([]string, cobra.ShellCompDirective)

func complete(c *cobra.Command, option string, f completion) {
	if err := c.RegisterFlagCompletionFunc(option, begun(f)); err != nil {
		panic(err) // the option is not declared
	}
}

// begun leaves out what does not begin as what was typed.
func begun(f completion) completion {
	return func(c *cobra.Command, words []string, typed string) ([]string, cobra.ShellCompDirective) {
		names, how := f(c, words, typed)
		return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, typed) }), how
	}
}

func levelsFrom(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"debug", "info", "notice", "error", "fatal"}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

func pluginsFrom(_ *cobra.Command, words []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	if len(words) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, p := range engine.Default.Plugins() {
		if p.Refuse != nil {
			continue
		}
		names = append(names, p.Name+"\t"+firstLine(p))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func usersFrom(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
	text, _ := os.ReadFile("/etc/passwd") // other users may be typed in full
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func commandsFrom(c *cobra.Command, words []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	if len(words) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, sub := range c.Root().Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name()+"\t"+sub.Short)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// instancesFrom lists the ids of the configuration that -c names, each once.
func instancesFrom(c *cobra.Command, words []string, _ string) (ids []string, _ cobra.ShellCompDirective) {
	file, _ := conf.Load(cmp.Or(c.Flag("configfile").Value.String(), defaultConfig()))
	said := map[string]bool{}
	for _, w := range words {
		said[w] = true
	}
	for _, st := range file.Stacks {
		for _, e := range st.Elements {
			if !said[e.ID] {
				ids = append(ids, e.ID+"\t"+e.Plugin)
			}
			said[e.ID] = true
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
