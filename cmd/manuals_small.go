//go:build small

// Making manuals is left out of a build for small machines: a full build does it.

package cmd

import "github.com/spf13/cobra"

func houseCommands(*options) []*cobra.Command { return nil }
