// Which package may import which, and why not.

package stacks_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestImports(t *testing.T) {
	std, all := goList(t, "std"), goList(t, "ulogd/...")
	standard := map[string]bool{}
	for _, p := range std {
		standard[p.ImportPath] = true
	}
	checked := map[string]int{}
	for _, p := range all {
		part, _, _ := strings.Cut(strings.TrimPrefix(p.ImportPath, "ulogd/"), "/")
		checked[part]++
		for _, imp := range p.Imports {
			if why := banned(p.ImportPath, imp, standard[imp]); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imp, why)
			}
		}
	}
	for _, part := range []string{"engine", "conf", "stacks", "cmd", "plugins"} {
		if checked[part] == 0 {
			t.Errorf("no package of %s was looked at", part)
		}
	}
}

// banned says why a package may not import another; "" if it may.
func banned(from, imp string, standard bool) string {
	top := func(p string) string {
		first, _, _ := strings.Cut(strings.TrimPrefix(p, "ulogd/"), "/")
		return first
	}
	own := imp == "ulogd" || strings.HasPrefix(imp, "ulogd/")
	forTests := strings.HasSuffix(path.Base(from), "test")
	switch top(from) {
	case "engine":
		switch {
		case own && top(imp) != "engine" && !forTests:
			return "the engine knows neither plugins nor configurations, so that all may rest on it"
		case from == "ulogd/engine" && !standard:
			return "the engine itself takes nothing but the standard library: what every record passes is to be read and kept here"
		case !own && !standard && !forTests && !slices.Contains(engineMayUse, imp) && !slices.Contains(mayUseToo[from], imp):
			return "packages of the engine take the standard library and golang.org/x/sys/unix; a protocol's library belongs to the plugin that speaks it"
		}
	case "plugins":
		switch {
		case from == "ulogd/plugins": // the list of all plugins
			return ""
		case own && top(imp) == "plugins" && !sameFolder(from, imp):
			return "plugins meet through keys alone, so that each can be left out or replaced; what two of them share belongs in a package of the engine"
		case own && top(imp) != "engine" && top(imp) != "plugins":
			return "a plugin knows no configuration and no command line: the engine hands it its options"
		}
	case "conf":
		if own {
			return "conf says what a file contains; what it means is for others"
		}
	case "stacks":
		if own && !forTests && !slices.Contains([]string{"engine", "conf", "stacks"}, top(imp)) {
			return "stacks knows plugins by the name they registered, so that a program with others needs no change here"
		}
	case "cmd":
		if own && top(imp) == "plugins" && from != "ulogd/cmd/ulogd" {
			return "the program's main imports plugins, so that somebody else's main can import others"
		}
	}
	return ""
}

// engineMayUse are the packages from elsewhere that sub-packages of the engine may import.
var engineMayUse = []string{"golang.org/x/sys/unix"}

// mayUseToo are those that one of them may import besides: sessions with collectors belong to several plugins, and Go's library has no DTLS.
var mayUseToo = map[string][]string{"ulogd/engine/collector": {"github.com/pion/dtls/v3"}}

// sameFolder tells whether both belong to one plugin: the plugin's own folder or folders within it.
func sameFolder(a, b string) bool {
	part := func(p string) string { return strings.Split(strings.TrimPrefix(p, "ulogd/plugins/"), "/")[0] }
	return part(a) == part(b)
}

// The rules would be worth nothing if they let everything pass.
func TestImportRulesForbid(t *testing.T) {
	for _, c := range []struct {
		from, imp string
		standard  bool
		want      bool
	}{
		{"ulogd/engine", "ulogd/conf", false, true},
		{"ulogd/engine", "golang.org/x/sys/unix", false, true},
		{"ulogd/engine", "os", true, false},
		{"ulogd/engine/mmsg", "golang.org/x/sys/unix", false, false},
		{"ulogd/engine/mmsg", "github.com/BurntSushi/toml", false, true},
		{"ulogd/engine/mmsg", "github.com/pion/dtls/v3", false, true},
		{"ulogd/engine/collector", "github.com/pion/dtls/v3", false, false},
		{"ulogd/engine/mmsg", "ulogd/plugins/nfct", false, true},
		{"ulogd/plugins/nfct", "ulogd/plugins/nflog", false, true},
		{"ulogd/plugins/nfct", "ulogd/stacks", false, true},
		{"ulogd/plugins/nfct", "ulogd/conf", false, true},
		{"ulogd/plugins/nfct", "ulogd/cmd", false, true},
		{"ulogd/plugins/nfct", "ulogd/engine/key", false, false},
		{"ulogd/plugins/nfct", "github.com/mdlayher/netlink", false, false},
		{"ulogd/plugins/flow", "ulogd/plugins/flow/table", false, false},
		{"ulogd/conf", "ulogd/engine", false, true},
		{"ulogd/conf", "github.com/BurntSushi/toml", false, false},
		{"ulogd/stacks", "ulogd/plugins/nfct", false, true},
		{"ulogd/stacks", "ulogd/cmd", false, true},
		{"ulogd/cmd", "ulogd/plugins", false, true},
		{"ulogd/cmd", "ulogd/stacks", false, false},
		{"ulogd/cmd/ulogd", "ulogd/plugins", false, false},
	} {
		if why := banned(c.from, c.imp, c.standard); (why != "") != c.want {
			t.Errorf("%s imports %s: %q", c.from, c.imp, why)
		}
	}
}

func goList(t *testing.T, pattern string) (list []pkg) {
	t.Helper()
	c := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", pattern)
	c.Dir = ".."
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}
