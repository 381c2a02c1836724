package conf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ulogd/engine/value"
)

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.conf")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxSize+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none.conf"): "cannot read the configuration: no such file or directory",
		dir:                             "cannot read the configuration: is a directory",
		large:                           "cannot read the configuration: it is larger than 16 MiB",
	} {
		f, problems := Load(path)
		if f == nil || f.Path != path {
			t.Errorf("%s: file is %+v", path, f)
		}
		if got := messages(problems.Errors()); !slices.Equal(got, []string{path + ": " + want}) {
			t.Errorf("problems are %q, want %q", got, want)
		}
	}
}

// The configuration that the package of the system's ulogd2 installs, where it is installed, has no problem.
func TestInstalledConfiguration(t *testing.T) {
	const path = "/etc/ulogd.conf"
	f, problems := Load(path)
	if _, err := os.ReadFile(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		t.Skip(err)
	}
	if len(problems) > 0 {
		t.Errorf("problems: %q", messages(problems))
	}
	if len(f.Stacks) == 0 || len(f.Sections) == 0 {
		t.Errorf("%d stacks, %d sections", len(f.Stacks), len(f.Sections))
	}
}

func TestGrammarByName(t *testing.T) {
	for path, want := range map[string]Grammar{
		"ulogd.conf": Ulogd, "a.toml": TOML, "/etc/a.toml.example": TOML, "/etc/x.toml/ulogd.conf": Ulogd, "-": Ulogd,
	} {
		if f, _ := Parse(path, nil); f.Grammar != want {
			t.Errorf("%s is read as %v, want %v", path, f.Grammar, want)
		}
	}
}

func TestProblemMessage(t *testing.T) {
	at := Pos{"ulogd.toml", 14}
	for want, p := range map[string]Problem{
		"ulogd.toml:14: [fc1] active_timeout: must be a time": {Pos: at, Section: "fc1", Option: "active_timeout", Text: "must be a time"},
		"ulogd.toml:14: [fc1]: is missing":                    {Pos: at, Section: "fc1", Text: "is missing"},
		"ulogd.toml:14: stack: is empty":                      {Pos: at, Option: "stack", Text: "is empty"},
		"ulogd.toml: is empty":                                {Pos: Pos{File: "ulogd.toml"}, Text: "is empty"},
		"ulogd.toml:14: [\"a\\x1b[2J\"]: is odd":              {Pos: at, Section: "a\x1b[2J", Text: "is odd"},
	} {
		if got := p.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A megabyte of what is no configuration ends in an error and a bounded number of problems.
func TestGarbage(t *testing.T) {
	const size = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	var keys strings.Builder
	for i := 0; keys.Len() < size; i++ {
		keys.WriteString("key")
		keys.WriteString(strings.Repeat("x", i%97))
		keys.WriteString(" =\n")
	}
	for name, text := range map[string]string{
		"zeros": fill("\x00"), "letters": fill("x"), "lines": fill("x\n"), "quotes": fill(`"`), "high": fill("\xff\n"),
		"stacks": fill("stack=x,y\n"), "stack": "stack=" + fill("x,"), "sections": fill("[x]\n"), "tables": fill("[[x]]\n"),
		"keys": keys.String(), "lists": "a=" + fill("["), "inline": "a=" + fill("{a="), "dots": "a" + fill(".a") + "=1",
		"name": "[" + fill("n") + "]", "value": "a=" + fill("1"), "comment": "#" + fill("c"), "headers": "[a" + fill(".a") + "]",
	} {
		for _, path := range []string{"x.conf", "x.toml"} {
			_, problems := Parse(path, []byte(text))
			if len(problems.Errors()) == 0 {
				t.Errorf("%s as %s: no error", name, path)
			}
			checkProblems(t, problems, strings.Count(text, "\n")+1)
		}
	}
}

// Errors are kept even if more warnings than are kept come before them.
func TestWarningsHideNoError(t *testing.T) {
	f, problems := Parse("x.conf", []byte("stack=a:B\n"+strings.Repeat("x=\n", 80)+"stack=bad\n"))
	if got, want := messages(problems.Errors()), `x.conf:82: stack: "bad" has no colon; write id:PLUGIN, such as ct1:NFCT`; !slices.Equal(got, []string{want}) {
		t.Errorf("errors are %q", got)
	}
	warnings := messages(problems.Warnings())
	if len(warnings) != maxProblems+1 || warnings[maxProblems] != "x.conf:81: and 30 more warnings up to here" {
		t.Errorf("%d warnings, the last %q", len(warnings), warnings[len(warnings)-1])
	}
	if len(f.Stacks) != 1 {
		t.Errorf("%d stacks", len(f.Stacks))
	}
}

func TestNearest(t *testing.T) {
	known := []string{"oid", "host", "port", "proto", "mtu", "send_template", "NFCT", "NFLOG", "netlink_socket_buffer_size"}
	for name, want := range map[string]string{
		"hots": "host", "prot": "port", "potr": "port", "protocol": "", "send_templates": "send_template", "sendtemplate": "send_template",
		"nflog": "NFLOG", "NFTC": "NFCT", "id": "oid", "x": "", "": "", "zzzzzz": "", "host": "host",
		"netlink_socket_bufersize": "netlink_socket_buffer_size", strings.Repeat("m", 1000): "",
	} {
		got, ok := Nearest(name, known)
		if got != want || ok != (want != "") {
			t.Errorf("nearest to %q is %q, %v; want %q", name, got, ok, want)
		}
	}
}

// Words of ulogd.conf in the type of the option that they set.
func TestWordsAsTOML(t *testing.T) {
	for _, c := range []struct {
		word string
		kind value.Kind
		want string
	}{
		{"5", value.Word, "5"},
		{"-5", value.Word, "-5"},
		{"05", value.Word, `"05"`},
		{"+5", value.Word, `"+5"`},
		{"0x5", value.Word, `"0x5"`},
		{"abc", value.Word, `"abc"`},
		{"99999999999999999999", value.Word, `"99999999999999999999"`},
		{"5", value.String, `"5"`},
		{`a\b`, value.String, `"a\\b"`},
		{"5", value.Int, "5"},
		{"+5", value.Int, "5"},
		{"-5", value.Int, "-5"},
		{"017", value.Int, "15"},
		{"0xFF", value.Int, "0xff"},
		{"-0x10", value.Int, "-16"},
		{"-0", value.Int, "0"},
		{"5abc", value.Int, `"5abc"`},
		{"08", value.Int, `"08"`},
		{"1_000", value.Int, `"1_000"`},
		{"0x", value.Int, `"0x"`},
		{"--5", value.Int, `"--5"`},
		{"0xffffffffffffffff", value.Int, `"0xffffffffffffffff"`},
		{"1", value.Float, "1.0"},
		{"0.5", value.Float, "0.5"},
		{"1e9", value.Float, "1e+09"},
		{"half", value.Float, `"half"`},
		{"1", value.Bool, "true"},
		{"0", value.Bool, "false"},
		{"true", value.Bool, "true"},
		{"2", value.Bool, `"2"`},
		{"tcp,sctp", value.List, `["tcp", "sctp"]`},
		{"tcp", value.List, `["tcp"]`},
		{"", value.List, "[]"},
	} {
		f := &File{Sections: []Section{{Name: "s", Options: []Option{{Name: "o", Value: Value{Text: c.word}}}}}}
		got := string(f.TOML(func(section, option string) value.Kind {
			if section != "s" || option != "o" {
				t.Errorf("asked for [%s] %s", section, option)
			}
			return c.kind
		}))
		if want := "[s]\no = " + c.want + "\n"; got != want {
			t.Errorf("%q as %v is written %q, want %q", c.word, c.kind, got, want)
		}
		if _, problems := Parse("x.toml", []byte("stack='a:B'\n"+got)); len(problems) > 0 {
			t.Errorf("%q reads back with %q", got, messages(problems))
		}
	}
}

// A line of its own for every key, however it is written.
func TestTOMLLines(t *testing.T) {
	text := strings.Join([]string{
		`a.x = 1`,
		`a . "y" = 2`,
		`b = { x = 1,`,
		`  y.z = 2 }`,
		`c = """\`,
		`  a.q = 3 \""" """`,
		`d = [ [ 1 ], "]",`,
		`  2 ]`,
		`[ "e.f" ] # g`,
		`'h' = '''`,
		`x'''''`,
		`"\u0069" = 1`,
		`j = 1979-05-27 07:32:00 # k = 1`,
		`l = +inf`,
	}, "\r\n")
	keys, deep := scanTOML(text)
	if deep != 0 {
		t.Fatalf("line %d nests too deep", deep)
	}
	for _, c := range []struct {
		line int
		path []string
	}{
		{1, []string{"a"}},
		{1, []string{"a", "x"}},
		{2, []string{"a", "y"}},
		{3, []string{"b", "x"}},
		{4, []string{"b", "y", "z"}},
		{5, []string{"c"}},
		{7, []string{"d"}},
		{9, []string{"e.f"}},
		{10, []string{"e.f", "h"}},
		{12, []string{"e.f", "i"}},
		{13, []string{"e.f", "j"}},
		{14, []string{"e.f", "l"}},
		{9, []string{"e.f", "unknown"}}, // its section's
	} {
		if got := keys.find(c.path).line; got != c.line {
			t.Errorf("%q stands in line %d, want %d", c.path, got, c.line)
		}
	}
	if items := keys.find([]string{"d"}).items; !slices.Equal(items, []int{7, 7, 8}) {
		t.Errorf("items of d stand in lines %v", items)
	}
}
