// Manuals as Markdown: a page for each plugin name, one of all keys, and a list.

package cmd

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"ulogd/engine"
)

// generated stands at the top of each page.
const generated = "<!-- Made from the code by `go generate ./cmd/ulogd`: change it there. -->\n\n"

// pages returns all pages by name.
func pages(reg *engine.Registry) map[string][]byte {
	out := map[string][]byte{"README.md": indexPage(reg), "keys.md": keysPage(reg)}
	for _, p := range reg.Plugins() {
		var b bytes.Buffer
		if before := out[p.Name+".md"]; before != nil {
			b.Write(before)
			b.WriteByte('\n')
		} else {
			fmt.Fprintf(&b, "%s# %s\n\n", generated, p.Name)
		}
		pluginPage(&b, engine.Describe(p))
		out[p.Name+".md"] = b.Bytes()
	}
	return out
}

func indexPage(reg *engine.Registry) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s# Plugins\n\n`ulogd plugins NAME` prints the same. What they exchange is in [keys](keys.md).\n", generated)
	for _, kind := range []engine.Kind{engine.InputKind, engine.FilterKind, engine.OutputKind} {
		fmt.Fprintf(&b, "\n## %ss\n\n| | |\n|---|---|\n", strings.ToUpper(kind.String()[:1])+kind.String()[1:])
		for _, p := range reg.Plugins() {
			if p.Kind() == kind {
				fmt.Fprintf(&b, "| [%s](%[1]s.md) | %s |\n", p.Name, cell(firstLine(p)))
			}
		}
	}
	return b.Bytes()
}

// firstLine is what a plugin does, in a sentence.
func firstLine(p *engine.Plugin) string {
	if p.Refuse != nil {
		return "not offered: " + p.Refuse.Why
	}
	first, _, _ := strings.Cut(p.Doc, "\n\n")
	return strings.ReplaceAll(first, "\n", " ")
}

func pluginPage(b *bytes.Buffer, m engine.Manual) {
	fmt.Fprintf(b, "## %s, %s\n\n", m.Plugin.Name, m.Plugin.Kind())
	if m.Plugin.Refuse != nil {
		fmt.Fprintf(b, "Not offered: %s.\n", prose(m.Plugin.Refuse.Why))
		return
	}
	fmt.Fprintf(b, "%s\n", prose(m.Plugin.Doc))
	if m.Plugin.Example != "" {
		fmt.Fprintf(b, "\n```toml\n%s\n```\n", strings.TrimSpace(m.Plugin.Example))
	}
	if len(m.Options) > 0 {
		b.WriteString("\n### Options\n\n| Option | Type | Default | |\n|---|---|---|---|\n")
		for _, o := range m.Options {
			def := "unset"
			if o.Default != "" {
				def = "`" + o.Default + "`"
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", o.Name, cell(o.Type), def, cell(o.Doc))
		}
	}
	keyTable(b, "Keys needed", m.Needs)
	keyTable(b, "Keys used where given", m.Wants)
	if m.TakesAll {
		b.WriteString("\nTakes every key of the plugins before it.\n")
	}
	keyTable(b, "Keys given", m.Gives)
}

func keyTable(b *bytes.Buffer, title string, list []*engine.KeyInfo) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n| Key | Type | IPFIX | |\n|---|---|---|---|\n", title)
	for _, k := range list {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", k.Name, k.Type, elements(k), cell(meaning(k)))
	}
}

// meaning is what a key says, with its unit.
func meaning(k *engine.KeyInfo) string {
	if k.Unit != "" {
		return k.Doc + " [" + k.Unit + "]"
	}
	return k.Doc
}

// elements are the information elements that the key leaves as, the usual one first.
func elements(k *engine.KeyInfo) string {
	var list []string
	for _, e := range k.Elements {
		list = append(list, e.Name+" "+e.IE.String())
	}
	return strings.Join(list, ", ")
}

// keysPage lists every key with the plugins that give it.
func keysPage(reg *engine.Registry) []byte {
	keys, givers := map[string]*engine.KeyInfo{}, map[string][]string{}
	for _, p := range reg.Plugins() {
		m := engine.Describe(p)
		for _, k := range slices.Concat(m.Needs, m.Wants, m.Gives) {
			keys[k.Name] = k
		}
		for _, k := range m.Gives {
			if !slices.Contains(givers[k.Name], p.Name) {
				givers[k.Name] = append(givers[k.Name], p.Name)
			}
		}
	}
	var names []string
	for name := range keys {
		names = append(names, name)
	}
	slices.Sort(names)
	var b bytes.Buffer
	fmt.Fprintf(&b, `%s# Keys

What plugins give to each other. These are the words of every option `+"`keys`"+`; a key with an IPFIX element is also a word
of the option `+"`fields`"+`. IP2STR and IP2BIN give addresses once more, with `+"`.str` and `.bin`"+` behind their names.

| Key | Type | IPFIX | Given by | |
|---|---|---|---|---|
`, generated)
	for _, name := range names {
		k := keys[name]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, k.Type, elements(k), strings.Join(givers[name], ", "), cell(meaning(k)))
	}
	return b.Bytes()
}

// markup is what would be read as Markdown where plain words are meant.
var markup = strings.NewReplacer("<", "&lt;", ">", "&gt;", "*", "\\*", "_", "\\_")

// prose makes Markdown of plain words; what stands in backquotes stays as it is.
func prose(text string) string {
	parts := strings.Split(text, "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = markup.Replace(parts[i])
	}
	return strings.Join(parts, "`")
}

// cell makes a table's cell of plain words.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(prose(text), "|", "\\|"), "\n", " ")
}
