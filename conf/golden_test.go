// Files as users write them, and everything that is read from them. `go test ./conf -update` renews the expectations.

package conf

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ulogd/engine/value"
)

var update = flag.Bool("update", false, "write testdata/*.golden")

func TestGolden(t *testing.T) {
	for _, pattern := range []string{"testdata/*.conf", "testdata/*.toml"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s matches no file: %v", pattern, err)
		}
		for _, name := range names {
			t.Run(filepath.Base(name), func(t *testing.T) {
				f, problems := Load(name)
				compareGolden(t, name+".golden", dump(f, problems))
			})
		}
	}
}

// The TOML of ulogd.conf files, with types as an option's reader would give them.
func TestConvertGolden(t *testing.T) {
	kinds := map[string]value.Kind{
		"sync": value.Bool, "hash_enable": value.Bool, "timestamp": value.Bool,
		"group": value.Int, "mask": value.Int, "port": value.String, "accept_proto_filter": value.List,
	}
	for _, name := range []string{"everything", "no-header", "tolerated"} {
		t.Run(name, func(t *testing.T) {
			f, _ := Load("testdata/" + name + ".conf")
			text := f.TOML(func(_, option string) value.Kind { return kinds[option] })
			compareGolden(t, "testdata/"+name+".convert.golden", string(text))
		})
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s says\n%s\ngot\n%s", name, want, got)
	}
}

// dump renders all of a file's model, and what was said about it, one line each.
func dump(f *File, problems Problems) string {
	var b strings.Builder
	fmt.Fprintln(&b, f.Grammar)
	for _, s := range append([]Section{f.Global}, f.Sections...) {
		fmt.Fprintf(&b, "%d [%s]\n", s.Pos.Line, s.Name)
		for _, o := range s.Options {
			fmt.Fprintf(&b, "%d   %s = %s\n", o.Pos.Line, o.Name, dumpValue(o.Value))
		}
	}
	for _, s := range f.Stacks {
		fmt.Fprintf(&b, "%d stack %q\n", s.Pos.Line, s.Elements)
	}
	for _, p := range problems {
		level := "error"
		if p.Warning {
			level = "warning"
		}
		fmt.Fprintf(&b, "%s: %v\n", level, p)
	}
	return b.String()
}

func dumpValue(v Value) string {
	if v.Kind != value.List {
		return fmt.Sprintf("%s %q", v.Kind, v.Text)
	}
	var items []string
	for _, item := range v.List {
		items = append(items, fmt.Sprintf("%d %s", item.Pos.Line, dumpValue(item)))
	}
	return "[" + strings.Join(items, ", ") + "]"
}
