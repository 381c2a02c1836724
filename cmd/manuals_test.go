package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ulogd/test/nstest"
)

// What stands in docs is what the code says.
func TestManualsAreFresh(t *testing.T) {
	dir := t.TempDir()
	ulogd(t, "manuals", dir).exits(0)
	if out, err := exec.Command("diff", "-r", "-u", "../docs/plugins", dir+"/plugins").CombinedOutput(); err != nil {
		t.Errorf("docs/plugins is stale; run: go generate ./cmd/ulogd\n%.2000s", out)
	}
	if out, err := exec.Command("diff", "-r", "-u", "../docs/man", dir+"/man").CombinedOutput(); err != nil {
		t.Errorf("docs/man is stale; run: go generate ./cmd/ulogd\n%.2000s", out)
	}
}

// Every plugin that is offered has an example, which is a good configuration that names it.
func TestExamplesOfPluginsAreGood(t *testing.T) {
	n := 0
	for _, name := range plugins(t) {
		for i, text := range examples(ulogd(t, "plugins", name).exits(0).stdout) {
			n++
			if !strings.Contains(text, ":"+name) {
				t.Errorf("the example of %s is of something else:\n%s", name, text)
			}
			r := ulogd(t, "-t", "-c", file(t, fmt.Sprintf("%s%d.toml", name, i), text)).exits(0)
			if r.stderr != "" {
				t.Errorf("%s: %s", name, r.stderr)
			}
		}
	}
	if n < 30 {
		t.Errorf("%d examples", n)
	}
}

// plugins lists the names of all plugins, each once.
func plugins(t *testing.T) (names []string) {
	t.Helper()
	for line := range strings.Lines(ulogd(t, "plugins").exits(0).stdout) {
		if name := strings.Fields(line)[0]; len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// examples takes the examples out of what `ulogd plugins NAME` prints: one for each kind of plugin that is offered. It
// is an error of the test's if one has none.
func examples(manual string) (list []string) {
	for _, m := range strings.Split("\n"+manual, "\nName: ")[1:] {
		_, text, ok := strings.Cut(m, "\nExample:\n")
		if !ok {
			if !strings.Contains(m, "\nNot offered: ") {
				list = append(list, "no example") // which is no configuration
			}
			continue
		}
		list = append(list, strings.ReplaceAll("\n"+text, "\n  ", "\n"))
	}
	return list
}

// The words of options that name things are in the manuals.
func TestManualsListWords(t *testing.T) {
	for page, words := range map[string][]string{
		"plugins/FLOW.md":  {"tos, ifindex, vlan, mac, mark and icmp", "| `active_timeout` | seconds | `1800` |"},
		"plugins/keys.md":  {"| `orig.ip.saddr` | IP addr | sourceIPv4Address 8, sourceIPv6Address 27 |", "GEN, NFCT"},
		"plugins/PCAP.md":  {"## PCAP, input", "## PCAP, output", "tcpdump's language"},
		"plugins/ULOG.md":  {"Not offered: "},
		"man/ulogd.8":      {"proto=P", "sort=O", `\-\-configfile FILE`, "SIGHUP"},
		"man/ulogd.conf.5": {"netlink_socket_buffer_maxsize", "shutdown_timeout", "OUTPUT PLUGINS"},
	} {
		text := read(t, "../docs/"+page)
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("docs/%s does not say %q", page, w)
			}
		}
	}
	for page := range strings.SplitSeq("GPRINT MARK", " ") {
		has := strings.Contains(read(t, "../docs/plugins/"+page+".md"), "| `compat` |")
		if has != (page == "GPRINT") {
			t.Errorf("%s: compat is told of: %v; it has an effect on those alone that print what ulogd2 gets wrong", page, has)
		}
	}
}

// Links between the pages lead somewhere.
func TestLinksOfManuals(t *testing.T) {
	pages, _ := filepath.Glob("../docs/plugins/*.md")
	for _, p := range pages {
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(read(t, p), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(p), m[1])); err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
	}
}

// man reads the pages, and finds nothing to complain of.
func TestManPagesAreRead(t *testing.T) {
	nstest.Need(t, "tool:mandoc")
	for page, want := range map[string]string{"ulogd.8": "--configfile FILE", "ulogd.conf.5": "network_namespace_path"} {
		finish(t, exec.Command("mandoc", "-T", "lint", "-W", "warning", "../docs/man/"+page)).exits(0)
		finish(t, exec.Command("mandoc", "-T", "utf8", "../docs/man/"+page)).exits(0).says(bold(want))
	}
}

// bold is how mandoc prints bold text: each character twice.
func bold(s string) string {
	var b strings.Builder
	for _, c := range s {
		if c == ' ' {
			b.WriteRune(c)
			continue
		}
		fmt.Fprintf(&b, "%c\b%c", c, c)
	}
	return b.String()
}
