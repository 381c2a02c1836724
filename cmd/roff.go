// Man pages: ulogd(8) of the commands, ulogd.conf(5) of the options.

package cmd

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"ulogd/engine"
	"ulogd/stacks"
)

// page is a man page in the macros of man(7).
type page struct{ bytes.Buffer }

// roffSafe escapes what roff would take for its own: backslashes, and hyphens that people copy.
var roffSafe = strings.NewReplacer(`\`, `\e`, "-", `\-`)

// plain makes text safe, also at the begin of a line.
func plain(text string) string {
	lines := strings.Split(roffSafe.Replace(text), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

func (p *page) title(name string, section int, does string) {
	fmt.Fprintf(p, ".\\\" Made from the code by `go generate ./cmd/ulogd`.\n.TH %s %d %s \"ulogd %s\"\n", strings.ToUpper(name), section, released, release)
	p.head("NAME")
	fmt.Fprintf(p, "%s \\- %s\n", plain(name), plain(does))
}

func (p *page) head(title string) { fmt.Fprintf(p, ".SH %s\n", plain(title)) }
func (p *page) sub(title string)  { fmt.Fprintf(p, ".SS %s\n", plain(title)) }

// paragraphs writes prose, whose paragraphs are parted by empty lines. One whose lines are indented stays as it is.
func (p *page) paragraphs(text string) {
	for i, para := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			p.WriteString(".PP\n")
		}
		for line := range strings.Lines(para + "\n") {
			if strings.HasPrefix(line, "  ") {
				p.verbatim(para[strings.Index(para, line[:len(line)-1]):])
				break
			}
			p.WriteString(plain(line))
		}
	}
}

func (p *page) verbatim(text string) {
	if !bytes.HasSuffix(p.Bytes(), []byte(".PP\n")) && !p.atHead() {
		p.WriteString(".PP\n")
	}
	fmt.Fprintf(p, ".nf\n%s\n.fi\n", plain(strings.Trim(text, "\n")))
}

// atHead reports whether the last line is a title, behind which a paragraph begins by itself.
func (p *page) atHead() bool {
	lines := bytes.Split(bytes.TrimSuffix(p.Bytes(), []byte("\n")), []byte("\n"))
	last := lines[len(lines)-1]
	return bytes.HasPrefix(last, []byte(".SH ")) || bytes.HasPrefix(last, []byte(".SS "))
}

// item is an entry of a list: a term and what it means.
func (p *page) item(term, meaning string) {
	fmt.Fprintf(p, ".TP\n\\fB%s\\fR\n%s\n", plain(term), plain(strings.ReplaceAll(meaning, "\n", " ")))
}

func (p *page) flags(set *pflag.FlagSet) {
	set.SortFlags = false
	set.VisitAll(func(f *pflag.Flag) {
		term := "--" + f.Name
		if f.Shorthand != "" {
			term = "-" + f.Shorthand + ", " + term
		}
		value, usage := pflag.UnquoteUsage(f)
		if value != "" && takesValue(f) {
			term += " " + value
		}
		if takesValue(f) && f.DefValue != "" {
			usage += "; default " + f.DefValue
		}
		p.item(term, usage)
	})
}

// commandPage is ulogd(8).
func commandPage() []byte {
	root := newRoot(io.Discard, io.Discard)
	p := &page{}
	p.title("ulogd", 8, root.Short)
	p.head("SYNOPSIS")
	p.WriteString(".B ulogd\n[options]\n.br\n.B ulogd\n.I command\n[options] [words]\n")
	p.head("DESCRIPTION")
	about, codes, _ := strings.Cut(root.Long, "\n\nExit codes:\n")
	p.paragraphs(about)
	p.PP("Options may be joined and shortened as by getopt_long(3).")
	p.head("OPTIONS")
	p.flags(root.Flags())
	p.flags(root.PersistentFlags())
	p.head("COMMANDS")
	for _, c := range root.Commands() {
		if c.Hidden {
			continue
		}
		p.sub(strings.TrimSuffix(c.UseLine(), " [flags]"))
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		p.paragraphs(text)
		p.flags(c.LocalNonPersistentFlags())
		if c.Example != "" {
			p.verbatim(c.Example)
		}
	}
	p.head("SIGNALS")
	for _, s := range [][2]string{
		{"SIGHUP", "open files anew, resolve names again, reconnect"},
		{"SIGUSR2", "read all counters now"},
		{"SIGTERM, SIGINT", "let out what was read, within shutdown_timeout, and end; a second one, a second later or more, ends at once"},
	} {
		p.item(s[0], s[1])
	}
	p.head("EXIT STATUS")
	for line := range strings.Lines(codes) {
		if code, meaning, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			p.item(code, meaning)
		}
	}
	p.head("FILES")
	p.item(strings.Join(configs, ", "), "the configuration: the first of these that is there, unless -c names another")
	p.head("EXAMPLES")
	p.verbatim(root.Example)
	p.head("SEE ALSO")
	p.WriteString(".BR ulogd.conf (5),\n.BR conntrack (8),\n.BR nft (8),\n.BR nfacct (8)\n")
	return p.Bytes()
}

// PP begins a paragraph.
func (p *page) PP(text string) { fmt.Fprintf(p, ".PP\n%s\n", plain(text)) }

// configPage is ulogd.conf(5).
func configPage(reg *engine.Registry) []byte {
	p := &page{}
	p.title("ulogd.conf", 5, "configuration of ulogd")
	p.head("DESCRIPTION")
	p.paragraphs(`A configuration names stacks and gives options to the plugins in them. A stack is an input, any number of filters
and an output, each written ID:PLUGIN and joined by commas. The section of an id has the options of its plugin.
An input or an output that several stacks name by one id is opened once.

There are two grammars. A file whose name has .toml in it is TOML: the options of the daemon come first or stand in
the table [global], and an option of a wrong name or value is an error, with which nothing is started. Any other file is
read as ulogd2 reads its ulogd.conf: an unknown option is a warning, and a stack with an error is left out while the
others run. ulogd convert prints the second as the first.

Octets may be given in KiB, MiB and GiB, durations in seconds or as 500ms, 10m, 2h.`)
	p.head("EXAMPLE")
	p.verbatim("stack = \"ct1:NFCT,ipfix1:IPFIX\"\n\n[ct1]\naccept_proto_filter = [\"tcp\", \"sctp\"]\n\n[ipfix1]\nhost = \"192.0.2.1\"")
	p.head("OPTIONS OF THE DAEMON")
	var o engine.Options
	(&stacks.Global{}).Options(&o)
	p.item("stack", "a stack; in ulogd.conf once for each, in TOML a string or a list of strings")
	p.options(o.List())
	for _, kind := range []engine.Kind{engine.InputKind, engine.FilterKind, engine.OutputKind} {
		p.head(strings.ToUpper(kind.String()) + " PLUGINS")
		for _, pl := range reg.Plugins() {
			if pl.Kind() == kind {
				p.plugin(engine.Describe(pl))
			}
		}
	}
	p.head("SEE ALSO")
	p.WriteString(".BR ulogd (8)\n.PP\nulogd plugins NAME prints the keys that a plugin needs, uses and gives, too.\n")
	return p.Bytes()
}

func (p *page) plugin(m engine.Manual) {
	p.sub(m.Plugin.Name)
	if m.Plugin.Refuse != nil {
		p.paragraphs("Not offered: " + m.Plugin.Refuse.Why)
		return
	}
	p.paragraphs(m.Plugin.Doc)
	p.options(m.Options)
	if m.Plugin.Example != "" {
		p.verbatim(m.Plugin.Example)
	}
}

func (p *page) options(list []*engine.Option) {
	for _, o := range list {
		def := "unset"
		if o.Default != "" {
			def = "default " + o.Default
		}
		p.item(o.Name, fmt.Sprintf("(%s, %s) %s", o.Type, def, o.Doc))
	}
}
