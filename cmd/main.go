// Package cmd is the command line of the daemon. A program of one's own that imports further plugins and calls Main is a daemon with them.
package cmd

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
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

// commands are the words that may stand in place of options.
var commands = map[string]func(args []string, stdout, stderr io.Writer) int{
	"stats":   statsCommand,
	"flows":   flowsCommand,
	"plugins": pluginsCommand,
	"convert": convertCommand,
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		if c, ok := commands[args[0]]; ok {
			return c(args[1:], stdout, stderr)
		}
	}
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
	return daemon(o, stderr)
}

// Version returns the version that the program was built as.
func Version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "(devel)"
}
