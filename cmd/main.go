// Package cmd is the command line of the daemon. A program of one's own that imports further plugins and calls Main
// is a daemon with them.
package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// configs are where the configuration is looked for when -c is not given; the first that is there is read. The last is
// ulogd2's own.
var configs = []string{"/etc/ulogd/ulogd.toml", "/etc/ulogd/ulogd.conf", "/etc/ulogd.conf"}

// defaultConfig is the configuration unless -c names another.
func defaultConfig() string {
	for _, path := range configs {
		if _, err := os.Lstat(path); err == nil {
			return path
		}
	}
	return configs[len(configs)-1]
}

// Exit codes. 2 is also Go's for a crash; ulogd2 uses it when the log file cannot be opened.
const (
	exitOK      = 0
	exitError   = 1
	exitLogFile = 2
	exitDropped = 3 // finite inputs came to their end, but records were dropped
)

// Main runs the program with the arguments of the process and returns its exit code.
func Main() int { return run(os.Args[1:], os.Stdout, os.Stderr) }

func run(args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	if !completing(args) {
		var err error
		if args, err = canonical(root, args); err != nil {
			return report(err, stderr)
		}
	}
	root.SetArgs(args)
	err := root.Execute()
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	return report(err, stderr)
}

// exitCode is how a command that has said everything itself ends.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// ended is the error that makes the program end with a code.
func ended(code int) error {
	if code == exitOK {
		return nil
	}
	return exitCode(code)
}

// report says why a command failed.
func report(err error, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintln(stderr, "ulogd:", err)
		return exitError
	}
	return exitOK
}
