// What a plugin implements of the contract's optional parts it says, so that a signature that has
// drifted is an error of the compiler and not a method that is never called.

package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// optional are the contract's optional methods (engine/plugin.go), with the interface that has
// each.
var optional = map[string]string{
	"Validate": "Validator", "Open": "Opener", "Tick": "Ticker", "Flush": "Flusher", "Close": "Closer",
	"Stop": "Stopper", "Signal": "Signaler", "Live": "Live", "Backpressure": "Backpressured", "Blocks": "Blocker",
	"Namespace": "Namespaced", "Timeouts": "Timed", "Counts": "Counting", "Shards": "Sharder", "Query": "Querier",
	"Hash": "Dealer", "Doctor": "Doctored",
}

// source is what a package's files declare.
type source struct {
	methods map[string]map[string]bool // by type
	guards  map[string]bool            // "type Interface"
}

func TestPluginsSayWhatTheyImplement(t *testing.T) {
	checked := 0
	err := filepath.WalkDir("../../plugins", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		src := read(t, dir)
		for name, methods := range src.methods {
			instance := methods["Options"] && methods["Bind"]
			if !instance && !methods["Consume"] && !methods["Hash"] {
				continue
			}
			for method, iface := range optional {
				if !methods[method] {
					continue
				}
				checked++
				if !src.guards[name+" "+iface] {
					t.Errorf("%s: %s has a method %s; say so: var _ engine.%s = (*%s)(nil)", dir, name, method, iface, name)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 50 {
		t.Errorf("only %d methods were looked at", checked)
	}
}

// read gathers the methods of a folder's types, and the guards: var _ engine.Opener = (*x)(nil).
func read(t *testing.T, dir string) source {
	t.Helper()
	src := source{map[string]map[string]bool{}, map[string]bool{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					continue
				}
				name := typeName(d.Recv.List[0].Type)
				if src.methods[name] == nil {
					src.methods[name] = map[string]bool{}
				}
				src.methods[name][d.Name.Name] = true
			case *ast.GenDecl:
				for _, s := range d.Specs {
					src.guard(s)
				}
			}
		}
	}
	return src
}

func (s *source) guard(spec ast.Spec) {
	v, ok := spec.(*ast.ValueSpec)
	if !ok || v.Names[0].Name != "_" || len(v.Values) != 1 {
		return
	}
	if iface, ok := v.Type.(*ast.SelectorExpr); ok {
		s.guards[typeName(v.Values[0])+" "+iface.Sel.Name] = true
	}
}

// typeName returns the first name in an expression such as *x, (*x)(nil) or x{}.
func typeName(e ast.Expr) (name string) {
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return name
}
