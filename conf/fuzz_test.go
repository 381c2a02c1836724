// Whatever bytes a file holds: no panic, problems within the file, and TOML that reads back to the same model.

package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"ulogd/engine/value"

	"github.com/BurntSushi/toml"
)

func FuzzUlogdConf(f *testing.F) {
	for _, c := range ulogd2Cases {
		f.Add(c.text())
	}
	addFiles(f, "testdata/*.conf")
	f.Fuzz(func(t *testing.T, text string) { checkFile(t, "f.conf", text) })
}

func FuzzTOML(f *testing.F) {
	addFiles(f, "testdata/*.toml")
	for _, text := range []string{
		`a.b.c = 1`, `a = { b = { c = 1 } }`, "[[a]]\nb=1", "a = [[1, 2], [3]]", `"a\u0000b"."c d" = "\e[0m"`, "a = '''\n[b]\n''''\nc = 1",
		"a = 1979-05-27T07:32:00Z", "a = [ # x\n 1,\n 2 ]\n", "x = nan\ny = -inf\nz = 1e400", "stack = [\n'a:B',\n\"c:D\"]", "a = \"\\\x00\"", "a = {\n b = 1, # c\n c = '''\n'''\n}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkFile(t, "f.toml", text)
		checkScanner(t, strings.TrimPrefix(text, "\ufeff"))
	})
}

// checkScanner compares the scanner with the library: it knows every key outside of lists that the library found.
func checkScanner(t *testing.T, text string) {
	keys, deep := scanTOML(text)
	if deep > 0 {
		return
	}
	var root map[string]any
	meta, err := toml.Decode(text, &root)
	if err != nil {
		return
	}
	for _, path := range meta.Keys() {
		table, node := root, keys
		for _, name := range path {
			if node = node.keys[name]; node == nil || node.line == 0 {
				t.Fatalf("no line for %q of %q", name, path)
			}
			var ok bool
			if table, ok = table[name].(map[string]any); !ok {
				break
			}
		}
	}
}

func FuzzStack(f *testing.F) {
	for _, text := range []string{"", ",", "a:B,c:D", " a : B , ", "a", ":B", "a:", "a:B:C", "\x00:\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, problems := ParseStack(text, Pos{"f.conf", 3})
		if len(problems) == 0 && len(s.Elements) == 0 {
			t.Error("an empty stack without a problem")
		}
		for _, e := range s.Elements {
			again, problems := ParseStack(e.ID+":"+e.Plugin, s.Pos)
			if len(problems) > 0 || len(again.Elements) != 1 || again.Elements[0] != e {
				t.Errorf("%+v reads back as %+v with %q", e, again, messages(problems))
			}
		}
		checkProblems(t, problems, 3)
	})
}

func addFiles(f *testing.F, pattern string) {
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		f.Fatalf("no seeds at %s: %v", pattern, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
}

func checkFile(t *testing.T, path, text string) {
	file, problems := Parse(path, []byte(text))
	lines := strings.Count(text, "\n") + 1
	checkProblems(t, problems, lines)
	checkPositions(t, file, lines)

	written := file.TOML(nil)
	again, problems := Parse("again.toml", written)
	if len(file.Stacks) == 0 { // which is a problem of its own, in the first file as in the second
		problems = slices.DeleteFunc(problems, func(p Problem) bool { return strings.HasPrefix(p.Text, "has no stack") })
	}
	if len(problems) > 0 {
		t.Fatalf("what was written has problems: %q\n%s", messages(problems), written)
	}
	if got, want := model(again), model(file); got != want {
		t.Errorf("read back:\n%s\nwant:\n%s\nwritten:\n%s", got, want, written)
	}
}

func checkProblems(t *testing.T, problems Problems, lines int) {
	t.Helper()
	if len(problems) > 2*(maxProblems+1) {
		t.Errorf("%d problems", len(problems))
	}
	before := 0
	for _, p := range problems {
		if p.Pos.Line < before || p.Pos.Line > lines {
			t.Errorf("line %d after line %d of %d: %v", p.Pos.Line, before, lines, p)
		}
		before = p.Pos.Line
		if message := p.Error(); len(message) > 600 || strings.ContainsFunc(message, unicode.IsControl) {
			t.Errorf("message of %d bytes: %q", len(message), message)
		}
	}
}

func checkPositions(t *testing.T, f *File, lines int) {
	t.Helper()
	within := func(what string, line, from, to int) {
		if line < from || line > to {
			t.Errorf("%s has line %d, want one of %d to %d", what, line, from, to)
		}
	}
	for _, s := range append(f.Sections, f.Global) {
		if len(s.Options) > 0 {
			within("section "+s.Name, s.Pos.Line, 1, lines)
		}
		for _, o := range s.Options {
			within("option "+o.Name, o.Pos.Line, 1, lines)
			for _, v := range o.Value.List {
				within("item of "+o.Name, v.Pos.Line, o.Pos.Line, lines)
			}
		}
	}
	for _, s := range f.Stacks {
		within("stack "+s.Text, s.Pos.Line, 1, lines)
	}
}

// model renders a file without kinds and positions.
func model(f *File) string {
	var b strings.Builder
	for _, s := range append([]Section{f.Global}, f.Sections...) {
		fmt.Fprintf(&b, "section %q\n", s.Name)
		for _, o := range s.Options {
			fmt.Fprintf(&b, "  %q = %s\n", o.Name, modelValue(o.Value))
		}
	}
	for _, s := range f.Stacks {
		fmt.Fprintf(&b, "stack %q %q\n", s.Text, s.Elements)
	}
	return b.String()
}

func modelValue(v Value) string {
	if v.Kind != value.List {
		return fmt.Sprintf("%q", v.Text)
	}
	var items []string
	for _, item := range v.List {
		items = append(items, modelValue(item))
	}
	return "[" + strings.Join(items, " ") + "]"
}
