// Stacks from the command line: run, -r and live.

package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/engine/value"
	"ulogd/stacks"
)

// adhoc is a configuration that was not read from a file.
type adhoc struct {
	file    *conf.File
	control bool // there may be a control socket
}

// commandLine is what positions name in place of a file.
const commandLine = "command line"

func runCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "run",
		Short: "run a stack that is written on the command line",
		Long: `run runs a stack without a configuration file: plugins with a bar between them, each with its options as
NAME=VALUE. Quotes and backslashes are those of a shell, and errors those of a file. Options that take a list take it with commas.
A plugin has its name in lower case with a number as its id, such as pcap1, unless it is written ID:PLUGIN.
Warnings alone are logged, unless -v is given; the last line says what became of the records.`,
		Example: `  ulogd run 'PCAP file=x.pcap | BASE | FLOW | PRINT format=table'
  sudo ulogd run 'NFLOG group=1 | BASE | PRINT format=table'
  sudo ulogd run 'NFCT | IPFIX host=192.0.2.1 proto=udp'`,
	}
	loudness(c, o)
	does(c, o, "STACK ...", func(o *options, _, stderr io.Writer) int {
		list, err := stackOf(o.words)
		if err != nil {
			return report(err, stderr)
		}
		o.adhoc = &adhoc{file: fileOf(list)}
		return daemon(o, stderr)
	})
	return c
}

// loudness declares how much is logged.
func loudness(c *cobra.Command, o *options) {
	c.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "log all that happens")
	c.Flags().VarP(&o.loglevel, "loglevel", "l", "log from `LEVEL` on: "+stacks.LevelNames)
	complete(c, "loglevel", levelsFrom)
}

// stage is a plugin with its options, as words.
type stage struct{ words []string }

// stackOf takes a stack apart: one argument as a shell would, or several that a shell has taken apart.
func stackOf(args []string) (list []stage, err error) {
	words := args
	bar := make([]bool, len(args)) // a word that is a bar, and not one in quotes
	if len(args) == 1 {
		if words, bar, err = shellWords(args[0]); err != nil {
			return nil, err
		}
	} else {
		for i, w := range args {
			bar[i] = w == "|"
		}
	}
	list = []stage{{}}
	for i, w := range words {
		if bar[i] {
			list = append(list, stage{})
			continue
		}
		last := &list[len(list)-1]
		last.words = append(last.words, w)
	}
	for i, s := range list {
		if len(s.words) == 0 {
			return nil, fmt.Errorf("the stack has nothing at place %d; write PLUGIN OPTION=VALUE | PLUGIN OPTION=VALUE", i+1)
		}
	}
	return list, nil
}

// shellWords splits a line as a shell does: blanks separate words, a bar is a word of its own; within '...' everything is
// itself, within "..." a backslash is only before a backslash and a quote.
func shellWords(line string) (words []string, bar []bool, err error) {
	var word strings.Builder
	in, quote := false, rune(0)
	end := func() {
		if in {
			words, bar = append(words, word.String()), append(bar, false)
			word.Reset()
			in = false
		}
	}
	escaped := false
	for _, c := range line {
		switch {
		case escaped:
			if quote == '"' && c != '"' && c != '\\' {
				word.WriteRune('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, in = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == '|':
			end()
			words, bar = append(words, "|"), append(bar, true)
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			end()
		default:
			word.WriteRune(c)
			in = true
		}
	}
	switch {
	case quote != 0:
		return nil, nil, fmt.Errorf("the stack has an opening %c without a closing one", quote)
	case escaped:
		return nil, nil, errors.New("the stack ends with a backslash")
	}
	end()
	return words, bar, nil
}

// fileOf makes a configuration of a stack. An option that does not exist is an error, as in TOML.
func fileOf(list []stage) *conf.File {
	pos := conf.Pos{File: commandLine}
	f := &conf.File{Path: commandLine, Grammar: conf.TOML, Global: conf.Section{Name: "global", Pos: pos}}
	st := conf.Stack{Pos: pos}
	var names []string
	for _, s := range list {
		id, plugin, ok := strings.Cut(s.words[0], ":")
		if !ok {
			plugin = id
			taken := func(id string) bool {
				return slices.ContainsFunc(st.Elements, func(e conf.Element) bool { return e.ID == id })
			}
			for n := 1; id == plugin || taken(id); n++ {
				id = fmt.Sprintf("%s%d", strings.ToLower(plugin), n)
			}
		}
		st.Elements = append(st.Elements, conf.Element{ID: id, Plugin: plugin})
		names = append(names, id+":"+plugin)
		sec := conf.Section{Name: id, Pos: pos}
		for _, w := range s.words[1:] {
			name, text, _ := strings.Cut(w, "=")
			sec.Options = append(sec.Options, conf.Option{
				Name: name, Pos: pos,
				Value: conf.Value{Kind: value.Word, Text: text, Pos: pos},
			})
		}
		f.Sections = append(f.Sections, sec)
	}
	st.Text = strings.Join(names, ",")
	f.Stacks = []conf.Stack{st}
	kind := stacks.KindOf(f, &engine.Default)
	for _, sec := range f.Sections {
		for i := range sec.Options {
			o := &sec.Options[i]
			o.Value = typed(o.Value, kind(sec.Name, o.Name))
		}
	}
	return f
}

// typed is a word as TOML would have it, for an option of a kind. What does not look like the kind is text: the option
// says what it takes.
func typed(v conf.Value, as value.Kind) conf.Value {
	v.Kind = value.String
	switch as {
	case value.Word: // there is no such option
		v.Kind = value.Word
	case value.Int:
		if n, err := strconv.ParseInt(v.Text, 0, 64); err == nil {
			v.Kind, v.Text = value.Int, strconv.FormatInt(n, 10)
		}
	case value.Float:
		if _, err := strconv.ParseFloat(v.Text, 64); err == nil {
			v.Kind = value.Float
		}
	case value.Bool:
		if v.Text == "true" || v.Text == "false" {
			v.Kind = value.Bool
		}
	case value.List:
		text := v.Text
		v.Kind, v.Text = value.List, ""
		for item := range strings.SplitSeq(text, ",") {
			v.List = append(v.List, conf.Value{Kind: value.String, Text: strings.TrimSpace(item), Pos: v.Pos})
		}
	}
	return v
}

// replay is -r: the flows of a capture as a table, by their start. Those of a pipe, which may go on for long, come as
// they end.
func replay(o *options, stderr io.Writer) int {
	table := []string{"PRINT", "format=table"}
	if info, err := os.Stat(o.read); o.read != "-" && (err != nil || info.Mode().IsRegular()) {
		table = append(table, "sort=start")
	}
	o.adhoc = &adhoc{file: fileOf([]stage{
		{[]string{"PCAP", "file=" + o.read}},
		{[]string{"BASE"}},
		{[]string{"FLOW", "biflow=true"}},
		{table},
	})}
	return daemon(o, stderr)
}

// exporter is how flows leave: the words of --as.
type exporter struct {
	plugin, port string
	protos       []string // that the plugin can send by, the usual one first
}

var exporters = map[string]exporter{
	"ipfix":    {"IPFIX", "4739", []string{"udp", "tcp", "tls", "dtls"}},
	"netflow9": {"NETFLOW9", "2055", []string{"udp"}},
	"netflow5": {"NETFLOW5", "2055", []string{"udp"}},
}

var exporterNames = []string{"ipfix", "netflow9", "netflow5"}

func liveCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "live",
		Short: "flows of an interface, to the screen or to a collector",
		Long: `live captures an interface (any: all of them), makes flows of its packets, and prints them as a table, or sends them to
a collector. It needs root, or CAP_NET_RAW. Warnings alone are logged, unless -v is given; the last line says what became of the
records.`,
		Example: `  sudo ulogd live eth0
  sudo ulogd live eth0 --filter 'port 53'
  sudo ulogd live eth0 --to udp://192.0.2.1:2055 --as netflow9`,
		ValidArgsFunction: begun(interfacesFrom),
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.to, "to", "", "send flows to the collector `PROTO://HOST[:PORT]`; PROTO is udp, and for ipfix also tcp, tls, dtls")
	f.StringVar(&o.as, "as", "", "send them as `FORMAT`: ipfix (port 4739), netflow9 or netflow5 (port 2055); unset: as the port says, else ipfix")
	f.StringVar(&o.filter, "filter", "", "capture only what the `FILTER` says, in tcpdump's language")
	loudness(c, o)
	complete(c, "as", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return slices.Clone(exporterNames), cobra.ShellCompDirectiveNoFileComp
	})
	does(c, o, "INTERFACE", func(o *options, _, stderr io.Writer) int {
		list, err := liveStack(o)
		if err != nil {
			return report(err, stderr)
		}
		o.adhoc = &adhoc{file: fileOf(list), control: true}
		return daemon(o, stderr)
	})
	return c
}

func liveStack(o *options) ([]stage, error) {
	in := []string{"PCAP", "interface=" + o.words[0]}
	if o.filter != "" {
		in = append(in, "filter="+o.filter)
	}
	out, err := outputOf(o.to, o.as)
	if err != nil {
		return nil, err
	}
	flow := []string{"FLOW"}
	if out[0] == "PRINT" {
		flow = append(flow, "biflow=true")
	}
	return []stage{{in}, {[]string{"BASE"}}, {flow}, {out}}, nil
}

// outputOf is the output that --to and --as mean.
func outputOf(to, as string) (words []string, err error) {
	if to == "" {
		if as != "" {
			return nil, fmt.Errorf("--as %s without --to: give the collector, such as --to udp://192.0.2.1:2055", as)
		}
		return []string{"PRINT", "format=table"}, nil
	}
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || u.Path != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("--to %s: write PROTO://HOST:PORT, such as udp://192.0.2.1:2055", to)
	}
	if as == "" {
		as = "ipfix"
		if u.Port() == exporters["netflow9"].port {
			as = "netflow9"
		}
	}
	e, ok := exporters[strings.ToLower(as)]
	if !ok {
		if near, ok := conf.Nearest(as, exporterNames); ok {
			return nil, fmt.Errorf("--as %s: there is none of that name; did you mean %s?", as, near)
		}
		return nil, fmt.Errorf("--as %s: there are %s", as, strings.Join(exporterNames, ", "))
	}
	proto := strings.ToLower(u.Scheme)
	if !slices.Contains(e.protos, proto) {
		return nil, fmt.Errorf("--to %s: %s goes by %s, not by %q", to, as, strings.Join(e.protos, ", "), proto)
	}
	words = []string{e.plugin, "host=" + u.Hostname(), "port=" + cmp.Or(u.Port(), e.port)}
	if len(e.protos) > 1 {
		words = append(words, "proto="+proto)
	}
	return words, nil
}

func interfacesFrom(_ *cobra.Command, words []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	if len(words) == 0 {
		list, _ := net.Interfaces()
		for _, i := range list {
			names = append(names, i.Name)
		}
		names = append(names, "any")
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
