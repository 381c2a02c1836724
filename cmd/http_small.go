//go:build small

// The HTTP listener, with metrics and the page, is left out of a build for small machines: net/http and the libraries
// around it are larger than all the rest. A configuration that asks for it is refused (stacks.HTTP).

package cmd

import (
	"io"

	"github.com/spf13/cobra"

	"ulogd/engine"
	"ulogd/stacks"
)

// httpServer is never there.
type httpServer struct{}

func (*httpServer) Give(int, int) error { return nil }
func (*httpServer) Reload()             {}
func (*httpServer) Close()              {}

func (*process) listenHTTP() error         { return nil }
func (*process) serveHTTP(*engine.Machine) {}

// pageCommand says why there is no page.
func pageCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "page", Hidden: true}
	does(c, o, "", func(_ *options, _, stderr io.Writer) int { return report(stacks.LacksHTTP(), stderr) })
	return c
}
