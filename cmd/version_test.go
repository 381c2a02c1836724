package cmd

import (
	"runtime/debug"
	"testing"
)

// A plain checkout, one with changes, a tag fetched as a module, and a program of somebody else's.
func TestVersion(t *testing.T) {
	module := func(path, version string) debug.Module { return debug.Module{Path: path, Version: version} }
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "true"}}
	for want, b := range map[string]debug.BuildInfo{
		release: {Main: module("ulogd", "(devel)")},
		release + " (commit 0123456789ab, changed)": {Main: module("ulogd", "v0.0.0-20261121015407-0123456789ab+dirty"), Settings: vcs},
		release + " (commit 0123456789ab)":          {Main: module("ulogd", "(devel)"), Settings: vcs[:1]},
		"1.2.3":                                     {Main: module("ulogd", "v1.2.3")},
	} {
		if got := versionOf(&b); got != want {
			t.Errorf("%+v is %q, want %q", b, got, want)
		}
	}
	if got := versionOf(&debug.BuildInfo{Main: module("example.org/other", "v9.9.9"), Settings: vcs}); got != release {
		t.Errorf("somebody else's program calls itself %q", got)
	}
}
