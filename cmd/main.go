// Package cmd is the command line of the daemon. A program of one's own that imports further plugins and calls Main is a daemon with them.
package cmd

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"ulogd/conf"
)

// DefaultConfig is read when -c is not given, as by ulogd2.
const DefaultConfig = "/etc/ulogd.conf"

// Exit codes. 2 is also Go's for a crash; ulogd2 uses it when the log file cannot be opened.
const (
	exitOK      = 0
	exitError   = 1
	exitLogFile = 2
	exitDropped = 3 // finite inputs came to their end, but records were dropped
)

// Main runs the program with the arguments of the process and returns its exit code.
func Main() int { return run(os.Args[1:], os.Stdout, os.Stderr) }

// command is a word that asks for something other than to run the daemon. Its func gets the words behind it.
type command struct {
	name, args, doc string
	run             func(o *options, words []string, stdout, stderr io.Writer) int
}

var commands []command

func init() { // not in the declaration: usage, which they reach, lists them
	commands = []command{
		{"plugins", "[NAME]", "list the plugins, or print the manual of one", pluginsCommand},
		{"convert", "FILE", "print a ulogd.conf as TOML", convertCommand},
		{"doctor", "[-c FILE]", "what the kernel and this machine will spoil, and the command that mends it", doctorCommand},
		{"stats", "[-c FILE] [--json]", "counters of the running daemon", statsCommand},
		{"flows", "[-c FILE] [--watch] [WORD ...]", "live flows and connections of the running daemon", flowsCommand},
	}
}

func run(args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args)
	if err != nil {
		fmt.Fprintln(stderr, "ulogd:", err)
		usage(stderr)
		return exitError
	}
	switch {
	case o.help:
		usage(stdout)
		return exitOK
	case o.version:
		fmt.Fprintln(stdout, "ulogd Version", Version())
		fmt.Fprintln(stdout, "Licensed under the Apache License, Version 2.0. There is no warranty.")
		return exitOK
	case o.info != "":
		return info(o.info, stdout, stderr)
	case o.test:
		return check(o, stdout, stderr)
	}
	if len(o.words) == 0 {
		return daemon(o, stderr)
	}
	var names []string
	for _, c := range commands {
		if c.name == o.words[0] {
			return c.run(o, o.words[1:], stdout, stderr)
		}
		names = append(names, c.name)
	}
	if near, ok := conf.Nearest(o.words[0], names); ok {
		return report(fmt.Errorf("there is no command %s; did you mean %s?", o.words[0], near), stderr)
	}
	return daemon(o, stderr) // other words are ignored, as by ulogd2
}

// misused says how a command is to be called.
func misused(name string, stderr io.Writer) int {
	for _, c := range commands {
		if c.name == name {
			fmt.Fprintf(stderr, "usage: ulogd %s %s\n", c.name, c.args)
		}
	}
	return exitError
}

// report says why a command failed.
func report(err error, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintln(stderr, "ulogd:", err)
		return exitError
	}
	return exitOK
}

// Version returns the version that the program was built as.
func Version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "(devel)"
}
