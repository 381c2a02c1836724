// Package house holds the rules of the house: which package may import which, and why not.
package house

import (
	"encoding/json"
	"os/exec"
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
	seen := map[string]int{}
	for _, p := range all {
		seen[roomOf(p.ImportPath).name]++
		for _, imp := range p.Imports {
			if why := banned(p.ImportPath, imp, standard[imp]); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imp, why)
			}
		}
	}
	for _, r := range rooms {
		if seen[r.name] == 0 {
			t.Errorf("no package of %s was looked at", r.name)
		}
	}
	if seen[""] > 0 {
		t.Errorf("%d packages stand in no room", seen[""])
	}
}

// A room is a part of the house: the packages at or below a path. The first that fits is a
// package's room.
type room struct {
	name  string
	path  string
	only  bool     // the path itself, not what is below it
	may   []string // rooms that it may import, besides itself
	world []string // packages from elsewhere, besides the standard library; "*": any
	why   string
}

var rooms = []room{
	{
		name: "engine", path: "engine", only: true, may: []string{"value"},
		why: "the engine itself takes nothing but the standard library and the kinds of values: " +
			"what every record passes is to be read and kept here",
	},
	{
		name: "value", path: "engine/value",
		why: "readers of files and options both speak of the kinds of values, so that these know neither",
	},
	{
		name: "engine/...", path: "engine", may: []string{"engine", "value"}, world: []string{"golang.org/x/sys/unix"},
		why: "what stands below the engine is for plugins and the command line alike, and knows neither",
	},
	{
		name: "conf", path: "conf", may: []string{"value"}, world: []string{"github.com/BurntSushi/toml"},
		why: "conf says what a file contains; what it means is for others",
	},
	{
		name: "stacks", path: "stacks", may: []string{"engine", "engine/...", "value", "conf"},
		why: "stacks knows plugins by the name they registered, so that a program with others needs no change here",
	},
	{
		name: "cmd/ulogd", path: "cmd/ulogd", may: []string{"cmd", "plugins"},
		why: "the program joins the command line and the plugins, and does nothing else",
	},
	{
		name: "metrics", path: "cmd/web/metrics", may: []string{"engine"},
		world: []string{
			"github.com/prometheus/client_golang/prometheus", "github.com/prometheus/client_golang/prometheus/collectors",
			"github.com/prometheus/client_golang/prometheus/promhttp", "github.com/prometheus/client_model/go",
		},
		why: "metrics are made of the engine's snapshot alone, so that no plugin has to know of them",
	},
	{
		name: "page", path: "cmd/web/page", may: []string{"engine", "engine/..."},
		why: "the page shows what any stack can be asked; the standard library serves it",
	},
	{
		name: "web", path: "cmd/web", may: []string{"engine", "engine/...", "metrics", "page"},
		why: "the listener decides who may see what, and knows neither configuration nor plugins",
	},
	{
		name: "cmd", path: "cmd", may: []string{"engine", "engine/...", "value", "conf", "stacks", "web"},
		world: []string{"*"},
		why:   "the program's main imports plugins, so that somebody else's main can import others",
	},
	{
		name: "plugins", path: "plugins", only: true, may: []string{"plugin", "engine"},
		why: "plugins.go is the list of all plugins; what a small build goes without is refused by name",
	},
	{
		name: "nftables", path: "plugins/input/netlink/nftables", may: []string{"engine", "engine/...", "netlink"},
		world: []string{"golang.org/x/sys/unix", "github.com/mdlayher/netlink"},
		why:   "what nf_tables says serves every input that reads its counters or looks at its rules, and knows none",
	},
	{
		name: "counters", path: "plugins/input/counters", may: []string{"engine", "engine/...", "netlink"},
		why: "polling is the same for all counters; who tells them is for the inputs",
	},
	{
		name: "netlink", path: "plugins/input/netlink", may: []string{"engine", "engine/..."},
		world: []string{"golang.org/x/sys/unix"},
		why:   "sockets, attributes and namespaces serve every plugin that asks the kernel, and know none",
	},
	{
		name: "addresses", path: "plugins/filter/addresses", may: []string{"engine", "engine/..."},
		why: "what the IP2 filters share knows none of them",
	},
	{
		name: "follow", path: "plugins/filter/follow", may: []string{"engine", "engine/...", "netlink"},
		world: []string{"golang.org/x/sys/unix", "github.com/mdlayher/netlink"},
		why:   "what follows the kernel's tables for filters knows none of them",
	},
	{
		name: "dial", path: "plugins/output/dial", may: []string{"engine", "engine/...", "value"},
		world: []string{"golang.org/x/sys/unix"},
		why:   "how packets leave the machine is the same for all outputs, and knows none",
	},
	{
		name: "export", path: "plugins/output/export", may: []string{"engine", "engine/...", "netlink", "dial", "spool"},
		world: []string{"golang.org/x/sys/unix", "github.com/pion/dtls/v3", "github.com/klauspost/compress/zstd"},
		why:   "what exporters share knows none of them; of libraries it takes DTLS, which Go's own lacks",
	},
	{
		name: "sink", path: "plugins/output/sink", may: []string{"engine", "engine/...", "dial"},
		world: []string{"golang.org/x/sys/unix"},
		why:   "files and peers serve every output, and know none",
	},
	{
		name: "spool", path: "plugins/output/spool", may: []string{"engine", "engine/..."},
		world: []string{"golang.org/x/sys/unix"},
		why:   "the disk serves exporters and stores, and knows neither",
	},
	{
		name: "store", path: "plugins/output/store", may: []string{"engine", "engine/...", "dial", "sink", "spool"},
		why: "what outputs to stores share knows none of them, nor any store's library",
	},
	{
		name: "plugin", path: "plugins",
		may: []string{
			"engine", "engine/...", "value", "netlink", "nftables", "counters", "addresses", "follow", "dial", "export", "sink",
			"spool", "store",
		},
		world: []string{"*"},
		why: "a plugin knows no configuration and no command line: the engine hands it its options; and plugins meet " +
			"through keys alone, so that each can be left out or replaced: what two of them share stands in a room beside them",
	},
	{
		name: "test", path: "test", world: []string{"*"},
		may: []string{
			"engine", "engine/...", "value", "conf", "stacks", "cmd", "plugins", "netlink", "addresses", "follow",
			"dial", "export", "sink", "store", "plugin", "web", "metrics", "page",
		},
		why: "tests may look at everything",
	},
}

// walls stand within plugins: a folder of one may import what is listed, rooms and other walls' folders,
// and nothing else of ours.
var walls = []room{
	{
		name: "filter compiler", path: "plugins/input/pcap/filter", may: []string{"engine"}, world: []string{"golang.org/x/sys/unix"},
		why: "the filter compiler knows packets and no format of files, so that each can be read alone",
	},
	{
		name: "ctnetlink", path: "plugins/input/nfct/ctnetlink", may: []string{"engine", "engine/...", "netlink"},
		world: []string{"golang.org/x/sys/unix", "golang.org/x/net/bpf", "github.com/mdlayher/netlink"},
		why: "reading conntrack's messages knows what the kernel says and nothing of what is remembered or reported, " +
			"so that a format can be checked against the kernel's alone",
	},
	{
		name: "connection table", path: "plugins/input/nfct/table", may: []string{"engine", "engine/...", "ctnetlink"},
		world: []string{"golang.org/x/sys/unix"},
		why: "the table remembers and is asked: it opens nothing, logs nothing and makes no row, so that it can be " +
			"tested as a map",
	},
	{
		name: "connection rows", path: "plugins/input/nfct/rows", may: []string{"engine", "engine/...", "ctnetlink"},
		world: []string{"golang.org/x/sys/unix"},
		why:   "rows writes a connection into a batch as it is handed over: it keeps none, and knows no table and no socket",
	},
	{
		name: "last packet", path: "plugins/input/nfct/lastpacket", may: []string{"engine/...", "ctnetlink"},
		world: []string{"golang.org/x/sys/unix"},
		why:   "dating a last packet is arithmetic over the kernel's timeouts, and knows neither table nor rows",
	},
}

func roomOf(path string) room {
	path = strings.TrimPrefix(path, "ulogd/")
	for _, r := range rooms {
		if path == r.path || !r.only && strings.HasPrefix(path, r.path+"/") {
			return r
		}
	}
	return room{}
}

// banned says why a package may not import another; "" if it may.
func banned(from, imp string, standard bool) string {
	r, behind := roomOf(from), ""
	for _, w := range walls {
		switch "ulogd/" + w.path {
		case from:
			r = w
		case imp:
			behind = w.name
		}
	}
	if !strings.HasPrefix(imp, "ulogd/") {
		if standard || slices.Contains(r.world, imp) || slices.Contains(r.world, "*") {
			return ""
		}
		return r.why
	}
	to := roomOf(imp)
	switch {
	case r.name == "plugin" && to.name == "plugin" && pluginOf(from) != pluginOf(imp):
		return r.why
	case r.name == to.name || slices.Contains(r.may, to.name) || behind != "" && slices.Contains(r.may, behind):
		return ""
	}
	return r.why
}

// pluginOf returns the folder of a plugin, in which it may have folders of its own:
// plugins/input/pcap of plugins/input/pcap/filter.
func pluginOf(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "ulogd/"), "/")
	return strings.Join(parts[:min(3, len(parts))], "/")
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
		{"ulogd/engine/text", "golang.org/x/sys/unix", false, false},
		{"ulogd/engine/text", "github.com/BurntSushi/toml", false, true},
		{"ulogd/engine/text", "ulogd/plugins/input/nfct", false, true},
		{"ulogd/plugins/input/netlink/mmsg", "ulogd/plugins/input/nfct", false, true},
		{"ulogd/plugins/output/export/collector", "github.com/pion/dtls/v3", false, false},
		{"ulogd/plugins/output/sink/peer", "github.com/pion/dtls/v3", false, true},
		{"ulogd/plugins/output/sink/peer", "ulogd/plugins/output/export", false, true},
		{"ulogd/plugins/output/sink/peer", "ulogd/plugins/output/dial", false, false},
		{"ulogd/plugins/output/dial", "ulogd/plugins/output/sink", false, true},
		{"ulogd/plugins/output/store", "github.com/jackc/pgx/v5", false, true},
		{"ulogd/plugins/output/store", "ulogd/plugins/output/export", false, true},
		{"ulogd/plugins/output/export/collector", "ulogd/plugins/output/spool", false, false},
		{"ulogd/plugins/input/nfct", "ulogd/plugins/input/nflog", false, true},
		{"ulogd/plugins/input/nfct", "ulogd/plugins/input/netlink/mmsg", false, false},
		{"ulogd/plugins/filter/follow", "ulogd/plugins/input/netlink/netns", false, false},
		{"ulogd/plugins/filter/follow", "ulogd/plugins/filter/route", false, true},
		{"ulogd/plugins/input/nfct", "ulogd/stacks", false, true},
		{"ulogd/plugins/input/nfct", "ulogd/conf", false, true},
		{"ulogd/plugins/input/nfct", "ulogd/cmd", false, true},
		{"ulogd/plugins/input/nfct", "ulogd/test/nstest", false, true},
		{"ulogd/plugins/input/nfct", "ulogd/engine/key", false, false},
		{"ulogd/plugins/input/nfct", "github.com/mdlayher/netlink", false, false},
		{"ulogd/plugins/input/pcap", "ulogd/plugins/input/pcap/filter", false, false},
		{"ulogd/plugins/output/pcap", "ulogd/plugins/input/pcap/filter", false, true},
		{"ulogd/plugins/input/pcap/filter", "ulogd/plugins/input/pcap/capfile", false, true},
		{"ulogd/plugins/input/pcap/filter", "ulogd/engine/key", false, true},
		{"ulogd/plugins/input/pcap/filter", "github.com/klauspost/compress/gzip", false, true},
		{"ulogd/plugins/input/pcap/filter", "ulogd/engine", false, false},
		{"ulogd/plugins/input/nfct", "ulogd/plugins/input/nfct/table", false, false},
		{"ulogd/plugins/input/nfct/table", "ulogd/plugins/input/nfct/ctnetlink", false, false},
		{"ulogd/plugins/input/nfct/table", "ulogd/plugins/input/nfct/rows", false, true},
		{"ulogd/plugins/input/nfct/table", "ulogd/plugins/input/netlink/mmsg", false, true},
		{"ulogd/plugins/input/nfct/rows", "ulogd/plugins/input/nfct/table", false, true},
		{"ulogd/plugins/input/nfct/ctnetlink", "ulogd/plugins/input/nfct/table", false, true},
		{"ulogd/plugins/input/nfct/ctnetlink", "ulogd/plugins/input/nfct", false, true},
		{"ulogd/plugins/input/nfct/lastpacket", "ulogd/plugins/input/nfct/rows", false, true},
		{"ulogd/plugins/input/nflog", "ulogd/plugins/input/nfct/ctnetlink", false, true},
		{"ulogd/conf", "ulogd/engine", false, true},
		{"ulogd/conf", "ulogd/engine/value", false, false},
		{"ulogd/engine", "ulogd/engine/value", false, false},
		{"ulogd/engine", "ulogd/engine/key", false, true},
		{"ulogd/engine/value", "ulogd/engine", false, true},
		{"ulogd/conf", "github.com/BurntSushi/toml", false, false},
		{"ulogd/stacks", "ulogd/plugins/input/nfct", false, true},
		{"ulogd/stacks", "ulogd/cmd", false, true},
		{"ulogd/cmd", "ulogd/plugins", false, true},
		{"ulogd/cmd/web", "ulogd/stacks", false, true},
		{"ulogd/cmd/web/page", "ulogd/cmd/web", false, true},
		{"ulogd/cmd/web/page", "github.com/prometheus/client_golang/prometheus", false, true},
		{"ulogd/cmd/web/metrics", "ulogd/engine/key", false, true},
		{"ulogd/cmd/web", "ulogd/cmd/web/metrics", false, false},
		{"ulogd/cmd", "ulogd/stacks", false, false},
		{"ulogd/cmd/ulogd", "ulogd/plugins", false, false},
	} {
		if why := banned(c.from, c.imp, c.standard); (why != "") != c.want {
			t.Errorf("%s imports %s: %q", c.from, c.imp, why)
		}
	}
	if roomOf("ulogd/elsewhere").name != "" {
		t.Error("a folder that is no room is taken for one")
	}
}

func goList(t *testing.T, pattern string) (list []pkg) {
	t.Helper()
	c := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", pattern)
	c.Dir = "../.."
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
