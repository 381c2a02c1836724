// Command ulogd logs packets and flows of the Linux kernel: see the README.
package main

import (
	"os"

	"ulogd/cmd"
	_ "ulogd/plugins"
)

//go:generate go run . manuals ../../docs

func main() { os.Exit(cmd.Main()) }
