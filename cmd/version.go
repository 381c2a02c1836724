// Which version this is.

package cmd

import (
	"runtime/debug"
	"strings"
)

// release is the version that the work tree is on its way to, or is where it is tagged. It is here, and not in the
// build's flags, so that a plain checkout and an unpacked archive know it too.
const (
	release  = "0.1.0-dev"
	released = "2026-11-25" // stands in the man pages
)

// Version returns the version that the program was built as: the release and, where Go knows it, the commit.
func Version() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	return versionOf(b)
}

func versionOf(b *debug.BuildInfo) string {
	if b.Main.Path == "ulogd" && strings.HasPrefix(b.Main.Version, "v") && !strings.HasPrefix(b.Main.Version, "v0.0.0-") {
		return b.Main.Version[1:] // of a tag
	}
	set := map[string]string{}
	for _, s := range b.Settings {
		set[s.Key] = s.Value
	}
	commit := set["vcs.revision"]
	if b.Main.Path != "ulogd" || commit == "" { // the commit of somebody else's program says nothing of this one
		return release
	}
	version := release + " (commit " + commit[:min(len(commit), 12)]
	if set["vcs.modified"] == "true" {
		version += ", changed"
	}
	return version + ")"
}
