// What ulogd2 2.0.8 was seen to make of odd configurations, case by case, and what is made of them here.

package conf

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Each case varies one of the three places of a file that runs:
//
//	1 [global]            4 [log1]           6 [gp1]
//	2 logfile="u.log"     5 group=5          7 file="g.log"
//	3 stack=log1:NFLOG,gp1:GPRINT
type ulogd2Case struct {
	name string

	global, log1, gp1 string // bodies of the sections; "" is as above
	whole             string // the whole file instead

	group, file string   // what log1's group and gp1's file come to; "" is as above
	stacks      []string // nil is as above
	problems    []string // what is said about it
}

const (
	goodGlobal = "logfile=\"u.log\"\nstack=log1:NFLOG,gp1:GPRINT\n"
	goodStack  = "log1:NFLOG gp1:GPRINT"
	top        = "[global]\n" + goodGlobal
	none       = "(not set)"
)

func (c ulogd2Case) text() string {
	if c.whole != "" {
		return c.whole
	}
	or := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	return "[global]\n" + or(c.global, goodGlobal) + "[log1]\n" + or(c.log1, "group=5\n") + "[gp1]\n" + or(c.gp1, "file=\"g.log\"\n")
}

var ulogd2Cases = []ulogd2Case{
	{name: "baseline"},

	// Sections and keys that are missing, unknown or repeated.
	{name: "missing section gp1", whole: top + "[log1]\ngroup=5\n", file: none},
	{name: "missing section log1", whole: top + "[gp1]\nfile=g.log\n", group: none},
	{name: "unknown key in gp1", gp1: "file=g.log\nfoo=1\n"},
	{name: "unknown key in global", global: goodGlobal + "bogus=1\n"},
	{name: "repeat key in gp1", gp1: "file=g.log\nfile=h.log\n", problems: []string{"u.conf:8: [gp1] file: is set twice; the value of line 7 is kept"}},
	{name: "repeat key in log1", log1: "group=5\ngroup=6\n", problems: []string{"u.conf:6: [log1] group: is set twice; the value of line 5 is kept"}},
	{name: "repeat logfile in global", global: goodGlobal + "logfile=v.log\n", problems: []string{"u.conf:4: [global] logfile: is set twice; the value of line 2 is kept"}},
	{name: "duplicate section", gp1: "sync=1\n[gp1]\nfile=g.log\n", file: none, problems: []string{"u.conf:8: [gp1]: stands twice in the file; the section of line 6 is used, this one is left out"}},
	{name: "filter section with junk", gp1: "file=g.log\n[base1]\nfoo=1\n"},
	{name: "include-like key case", gp1: "FILE=g.log\n", file: none},

	// Words, blanks and quotes.
	{name: "empty value", gp1: "file=\n", file: none, problems: []string{`u.conf:7: [gp1] file: has no value; its default is kept (write "" for an empty value)`}},
	{name: "quoted empty value", gp1: "file=\"\"\n", file: `""`},
	{name: "unterminated quote", gp1: "file=\"g.log\n", file: none, problems: []string{"u.conf:7: [gp1] file: has an opening quote without a closing one; its default is kept"}},
	{name: "space in quotes", gp1: "file=\"a b.log\"\n", file: "a b.log"},
	{name: "unquoted w/ trailing comment", gp1: "file=g.log # where to\n"},
	{name: "space around =", gp1: "file = g.log\n"},
	{name: "no = sign", gp1: "file g.log\n"},
	{name: "double ==", gp1: "file==g.log\n"},
	{name: "value containing =", gp1: "file=a=b.log\n", file: "a", problems: []string{`u.conf:7: [gp1] file: ends before "=b.log", which has no effect; put the whole value in quotes`}},
	{name: "value containing = quoted", gp1: "file=\"a=b.log\"\n", file: "a=b.log"},
	{name: "embedded quote", gp1: "file=a\"b.log\n", file: `a"b.log`},
	{name: "single quotes", gp1: "file='g.log'\n", file: "'g.log'"},
	{name: "quoted key", gp1: "\"file\"=g.log\n"},

	// Lines.
	{name: "indented comment", gp1: "  # file=h.log\nfile=g.log\n"},
	{name: "semicolon comment", gp1: "; file=h.log\nfile=g.log\n"},
	{name: "no trailing newline at EOF", gp1: "file=g.log"},
	{name: "CRLF", whole: strings.ReplaceAll(top+"[log1]\ngroup=5\n[gp1]\nfile=g.log\n", "\n", "\r\n")},
	{name: "utf8 bom", whole: "\ufeff" + top + "[log1]\ngroup=5\n[gp1]\nfile=g.log\n"},
	{name: "value len 224", gp1: "file=" + strings.Repeat("a", 224) + "\n", file: strings.Repeat("a", 224)},
	{name: "value len 225", gp1: "file=" + strings.Repeat("a", 225) + "\n", file: strings.Repeat("a", 225)},
	{name: "value len 230", gp1: "file=" + strings.Repeat("a", 230) + "\n", file: strings.Repeat("a", 230)},
	{name: "line len 254 incl newline (253+nl)", gp1: "file=g.log #" + strings.Repeat("c", 253-12) + "\n"},
	{name: "line len 253 chars +nl=254", gp1: "file=g.log" + strings.Repeat(" ", 253-10) + "\n"},
	{name: "line len 254 chars +nl=255", gp1: "file=g.log #" + strings.Repeat("c", 254-12) + "\n"},
	{name: "line len 255 chars +nl", gp1: "file=g.log #" + strings.Repeat("c", 255-12) + "\n"},
	{name: "long comment 400", gp1: "#" + strings.Repeat("c", 400) + "\nfile=g.log\n"},
	{name: "long comment 253+ remainder is a directive", gp1: "#" + strings.Repeat("c", 253) + "file=h.log\nfile=g.log\n"},
	{name: "long line in earlier, unrelated section", log1: "group=5\n[x]\ny=" + strings.Repeat("z", 300) + "\n"},
	{name: "long stack line", global: "stack=\"log1:NFLOG," + strings.Repeat(" ", 300) + "gp1:GPRINT\"\n"},

	// The start of a section.
	{name: "tabs/indent section", whole: top + "[log1]\ngroup=5\n\t [ gp1 ]\n\tfile=g.log\n"},
	{name: "section quoted", whole: top + "[log1]\ngroup=5\n[\"gp1\"]\nfile=g.log\n"},
	{name: "section w/o brackets", whole: top + "[log1]\ngroup=5\ngp1\nfile=g.log\n"},
	{name: "section word matched inside other section (gp1 = x)", log1: "group=5\ngp1 = x\nfile=h.log\n"},
	{name: "section trailing text", whole: top + "[log1]\ngroup=5\n[gp1] text file=h.log\nfile=g.log\n"},
	{name: "unclosed section bracket", whole: top + "[log1]\ngroup=5\n[gp1\nfile=g.log\n", problems: []string{"u.conf:6: [gp1]: has no closing bracket; write [gp1]"}},

	// Integers stay words: who reads the option decides.
	{name: "int group='0x5'", log1: "group=0x5\n", group: "0x5"},
	{name: "int group='017'", log1: "group=017\n", group: "017"},
	{name: "int group='5abc'", log1: "group=5abc\n", group: "5abc"},
	{name: "int group='abc'", log1: "group=abc\n", group: "abc"},
	{name: "int group='-1'", log1: "group=-1\n", group: "-1"},
	{name: "int group='4294967295'", log1: "group=4294967295\n", group: "4294967295"},
	{name: "int group='0xffffffff'", log1: "group=0xffffffff\n", group: "0xffffffff"},
	{name: "int group='99999999999'", log1: "group=99999999999\n", group: "99999999999"},
	{name: "int group='65536'", log1: "group=65536\n", group: "65536"},
	{name: "int group='70000'", log1: "group=70000\n", group: "70000"},
	{name: "int group='\"5\"'", log1: "group=\"5\"\n"},
	{name: "int group='+5'", log1: "group=+5\n", group: "+5"},
	{name: "int group='5.5'", log1: "group=5.5\n", group: "5.5"},
	{name: "int group=' '", log1: "group= \n", group: none, problems: []string{`u.conf:5: [log1] group: has no value; its default is kept (write "" for an empty value)`}},
	{name: "MARK mask=0xffffffff", log1: "group=5\n[mark1]\nmask=0xffffffff\n"},
	{name: "MARK mask=4294967295", log1: "group=5\n[mark1]\nmask=4294967295\n"},
	{name: "MARK mask=-1", log1: "group=5\n[mark1]\nmask=-1\n"},
	{name: "MARK mask=0x7fffffff", log1: "group=5\n[mark1]\nmask=0x7fffffff\n"},
	{name: "MARK mask=2147483648", log1: "group=5\n[mark1]\nmask=2147483648\n"},

	// Stacks. Whether plugins exist and fit is not this package's to say.
	{name: "long instance id 30", whole: longID(30), file: "(not set)", stacks: []string{"log1:NFLOG " + strings.Repeat("g", 30) + ":GPRINT"}},
	{name: "long instance id 31", whole: longID(31), file: "(not set)", stacks: []string{"log1:NFLOG " + strings.Repeat("g", 31) + ":GPRINT"}},
	{name: "stack with spaces", global: "stack=log1:NFLOG, gp1:GPRINT\n", stacks: []string{"log1:NFLOG"}, problems: []string{`u.conf:2: stack: ends at the blank before "gp1:GPRINT"; remove the blanks or put the whole stack in quotes`}},
	{name: "stack quoted with spaces", global: "stack=\"log1:NFLOG, gp1:GPRINT\"\n"},
	{name: "stack quoted", global: "stack=\"log1:NFLOG,gp1:GPRINT\"\n"},
	{name: "stack trailing comma", global: "stack=log1:NFLOG,gp1:GPRINT,\n"},
	{name: "stack no colon", global: "stack=log1\n", stacks: []string{}, problems: []string{`u.conf:2: stack: "log1" has no colon; write id:PLUGIN, such as ct1:NFCT`}},
	{name: "stack unknown plugin", global: "stack=log1:NFLOG,gp1:FOO\n", stacks: []string{"log1:NFLOG gp1:FOO"}},
	{name: "stack lower-case plugin", global: "stack=log1:nflog,gp1:GPRINT\n", stacks: []string{"log1:nflog gp1:GPRINT"}},
	{name: "stack empty id", global: "stack=log1:NFLOG,:GPRINT\n", stacks: []string{}, problems: []string{`u.conf:2: stack: ":GPRINT" has no id before the colon; write one, such as ct1:NFCT`}},
	{name: "stack two colons", global: "stack=log1:NFLOG,gp1:GPRINT:x\n", stacks: []string{"log1:NFLOG gp1:GPRINT:x"}},
	{name: "stack only source", global: "stack=log1:NFLOG\n", stacks: []string{"log1:NFLOG"}},
	{name: "stack only sink", global: "stack=gp1:GPRINT\n", stacks: []string{"gp1:GPRINT"}},
	{name: "stack sink in middle", global: "stack=log1:NFLOG,gp2:GPRINT,gp1:GPRINT\n", stacks: []string{"log1:NFLOG gp2:GPRINT gp1:GPRINT"}},
	{name: "stack source in middle", global: "stack=log1:NFLOG,log2:NFLOG,gp1:GPRINT\n", stacks: []string{"log1:NFLOG log2:NFLOG gp1:GPRINT"}},
	{name: "type mismatch NFCT->LOGEMU w/o print", global: "stack=ct1:NFCT,emu1:LOGEMU\n", stacks: []string{"ct1:NFCT emu1:LOGEMU"}},
	{name: "type mismatch NFLOG->IFINDEX->GPRINT", global: "stack=log1:NFLOG,ifi1:IFINDEX,gp1:GPRINT\n", stacks: []string{"log1:NFLOG ifi1:IFINDEX gp1:GPRINT"}},
	{name: "PRINTPKT w/o IFINDEX", global: "stack=log1:NFLOG,p1:PRINTPKT,gp1:GPRINT\n", stacks: []string{"log1:NFLOG p1:PRINTPKT gp1:GPRINT"}},
	{name: "two stacks, one bad", global: "stack=log1:NFLOG,x1:FOO\nstack=log1:NFLOG,gp1:GPRINT\n", stacks: []string{"log1:NFLOG x1:FOO", goodStack}},
	{name: "same group two ids", global: goodGlobal + "stack=log2:NFLOG,gp1:GPRINT\n[log2]\ngroup=5\n", stacks: []string{goodStack, "log2:NFLOG gp1:GPRINT"}},

	// [global].
	{name: "no global section", whole: "[log1]\ngroup=5\n[gp1]\nfile=g.log\n", stacks: []string{}, problems: []string{noStack}},
	{name: "empty file", whole: "\n", group: none, file: none, stacks: []string{}, problems: []string{noStack}},
	{name: "no stack", global: "logfile=u.log\n", stacks: []string{}, problems: []string{noStack}},
	{name: "-l 3 with loglevel in conf", global: goodGlobal + "loglevel=1\n"},
	{name: "-l 3 w/o loglevel"},
	{name: "loglevel after stack", global: goodGlobal + "loglevel=3\n"},
	{name: "plugin after stack", global: goodGlobal + "plugin=/nonexistent.so\n"},
	{name: "plugin list incomplete", global: "plugin=ulogd_inppkt_NFLOG.so\n" + goodGlobal},
	{name: "plugin bad path first", global: "plugin=/nonexistent.so\nplugin=ulogd_inppkt_NFLOG.so\n" + goodGlobal},
	{name: "plugin twice", global: "plugin=ulogd_inppkt_NFLOG.so\nplugin=ulogd_inppkt_NFLOG.so\n" + goodGlobal},
	{name: "logfile unwritable", global: "logfile=/nonexistent/u.log\nstack=log1:NFLOG,gp1:GPRINT\n"},
	{name: "logfile stdout", global: "logfile=stdout\nstack=log1:NFLOG,gp1:GPRINT\n"},
}

const noStack = `u.conf: has no stack, so there is nothing to run: add a line like stack="ct1:NFCT,ipfix1:IPFIX"`

func longID(n int) string {
	id := strings.Repeat("g", n)
	return "[global]\nstack=log1:NFLOG," + id + ":GPRINT\n[log1]\ngroup=5\n[" + id + "]\nfile=g.log\n"
}

func TestUlogd2Cases(t *testing.T) {
	for _, c := range ulogd2Cases {
		t.Run(c.name, func(t *testing.T) {
			f, problems := Parse("u.conf", []byte(c.text()))
			compare := func(what, got, want, usual string) {
				t.Helper()
				if want == "" {
					want = usual
				}
				if got != want {
					t.Errorf("%s is %q, want %q", what, got, want)
				}
			}
			compare("group", textOf(f, "log1", "group"), c.group, "5")
			compare("file", textOf(f, "gp1", "file"), c.file, "g.log")
			if c.stacks == nil {
				c.stacks = []string{goodStack}
			}
			if got := stacksOf(f); !slices.Equal(got, c.stacks) {
				t.Errorf("stacks are %q, want %q", got, c.stacks)
			}
			if got := messages(problems); !slices.Equal(got, c.problems) {
				t.Errorf("problems are %q, want %q", got, c.problems)
			}
			for _, o := range f.Global.Options {
				if o.Name == "plugin" || o.Name == "stack" {
					t.Errorf("[global] kept the option %q", o.Name)
				}
			}
		})
	}
}

// textOf returns what an option is set to, "" in quotes to tell it from one that is not set.
func textOf(f *File, section, option string) string {
	for _, s := range f.Sections {
		if s.Name != section {
			continue
		}
		if o, ok := s.Lookup(option); ok {
			if o.Value.Text == "" {
				return `""`
			}
			return o.Value.Text
		}
	}
	return none
}

func stacksOf(f *File) []string {
	var out []string
	for _, s := range f.Stacks {
		var names []string
		for _, e := range s.Elements {
			names = append(names, fmt.Sprintf("%s:%s", e.ID, e.Plugin))
		}
		out = append(out, strings.Join(names, " "))
	}
	return out
}

func messages(ps Problems) []string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Error())
	}
	return out
}
