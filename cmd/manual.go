// Manuals of plugins, made from the code that runs them.

package cmd

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ulogd/conf"
	"ulogd/engine"
)

func pluginsCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "plugins",
		Short: "list the plugins, or print the manual of one",
		Long: `plugins lists the plugins. With a name it prints the manual of one: what it does, its options with type,
default and meaning, and the keys that it needs, uses and gives.`,
		Example:           "  ulogd plugins\n  ulogd plugins NFCT",
		ValidArgsFunction: begun(pluginsFrom),
	}
	does(c, o, "[NAME]", func(o *options, stdout, stderr io.Writer) int {
		if len(o.words) > 0 {
			return manuals(o.words[0], stdout, stderr)
		}
		return list(stdout)
	})
	return c
}

// list prints a line for each plugin; on a terminal, descriptions are broken between words.
func list(stdout io.Writer) int {
	s := newScreen(stdout)
	name, kind := 0, len(engine.FilterKind.String())
	for _, p := range engine.Default.Plugins() {
		name = max(name, len(p.Name))
	}
	for _, p := range engine.Default.Plugins() {
		lead := fmt.Sprintf("%-*s  %-*s  ", name, p.Name, kind, p.Kind())
		for _, line := range wrapped(firstLine(p), s.width-len(lead)) {
			s.line(lead + line)
			lead = strings.Repeat(" ", len(lead))
		}
	}
	s.w.Flush()
	return exitOK
}

// wrapped breaks a text between words into lines of a width, if there is room for any.
func wrapped(text string, width int) (lines []string) {
	if width < 20 {
		return []string{text}
	}
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(lines, line)
}

// info is -i: PLUGIN may be the path of the shared object that ulogd2 has for it, such as ulogd_inpflow_NFCT.so.
func info(plugin string, stdout, stderr io.Writer) int {
	name := strings.TrimSuffix(filepath.Base(plugin), ".so")
	if i := strings.LastIndexByte(name, '_'); i >= 0 && strings.HasPrefix(name, "ulogd_") {
		name = name[i+1:]
	}
	return manuals(name, stdout, stderr)
}

// manuals prints the manual of every plugin of that name.
func manuals(name string, stdout, stderr io.Writer) int {
	var names []string
	found := false
	for _, p := range engine.Default.Plugins() {
		names = append(names, p.Name)
		if strings.EqualFold(p.Name, name) {
			if found {
				fmt.Fprintln(stdout)
			}
			manual(stdout, engine.Describe(p))
			found = true
		}
	}
	if found {
		return exitOK
	}
	if near, ok := conf.Nearest(name, names); ok {
		fmt.Fprintf(stderr, "ulogd: there is no plugin %s; did you mean %s?\n", name, near)
	} else {
		fmt.Fprintf(stderr, "ulogd: there is no plugin %s; `ulogd plugins` lists them\n", name)
	}
	return exitError
}

func manual(out io.Writer, m engine.Manual) {
	fmt.Fprintf(out, "Name: %s\nKind: %s\n", m.Plugin.Name, m.Plugin.Kind())
	if m.Plugin.Refuse != nil {
		fmt.Fprintf(out, "Not offered: %s\n", m.Plugin.Refuse.Why)
		return
	}
	fmt.Fprintf(out, "\n%s\n", m.Plugin.Doc)
	if len(m.Options) > 0 {
		fmt.Fprintln(out, "\nOptions:")
		for _, o := range m.Options {
			def := ", unset"
			if o.Default != "" {
				def = ", default " + o.Default
			}
			fmt.Fprintf(out, "  %s (%s%s)\n      %s\n", o.Name, o.Type, def, o.Doc)
		}
	}
	keys(out, "Keys needed", m.Needs)
	keys(out, "Keys used where given", m.Wants)
	if m.TakesAll {
		fmt.Fprintln(out, "\nTakes every key of the plugins before it.")
	}
	keys(out, "Keys given", m.Gives)
	if m.Plugin.Example != "" {
		fmt.Fprintf(out, "\nExample:\n  %s\n", strings.ReplaceAll(strings.TrimSpace(m.Plugin.Example), "\n", "\n  "))
	}
}

func keys(out io.Writer, title string, list []*engine.KeyInfo) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s:\n", title)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, k := range list {
		doc := meaning(k)
		if ie := elements(k); ie != "" {
			doc += "; IPFIX: " + ie
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", k.Name, k.Type, doc)
	}
	w.Flush()
}
