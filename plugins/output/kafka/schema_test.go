package kafka

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// goTypes are the types of fields for those of keys in engine/key.
var goTypes = map[string]string{
	"Addr": "bytes", "MAC": "bytes", "Label": "bytes", "Raw": "bytes", "RawText": "string", "String": "string", "Time": "fixed64", "Bool": "bool",
	"bool": "bool", "uint8": "uint32", "uint16": "uint32", "uint32": "uint32", "uint64": "uint64", "int8": "int32", "int16": "int32",
	"int32": "int32", "int64": "int64",
}

// The schema has every key of the table of keys, once, with a number of its own. Who adds a key adds
// it at the end of ulogd.proto.
func TestSchemaHasEveryKey(t *testing.T) {
	fields := protoFields()
	numbers := map[uint64]string{}
	for name, f := range fields {
		if other := numbers[f.number]; other != "" {
			t.Errorf("%s and %s have the same number", name, other)
		}
		numbers[f.number] = name
	}
	if n := strings.Count(schema, " = "); n-strings.Count(schema, "format = ")-strings.Count(schema,
		"syntax = ") != len(fields) {
		t.Errorf("%d fields are read of %d", len(fields), n)
	}
	files, err := filepath.Glob("../../../engine/key/*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen, next := 0, len(fields)+1
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			of, ok := call.Fun.(*ast.IndexExpr)
			lit, isText := call.Args[0].(*ast.BasicLit)
			if !ok || !isText || lit.Kind != token.STRING {
				return true
			}
			typ := ""
			switch x := of.Index.(type) {
			case *ast.Ident:
				typ = x.Name
			case *ast.SelectorExpr:
				typ = x.Sel.Name
			}
			want, known := goTypes[typ]
			name, _ := strconv.Unquote(lit.Value)
			if !known { // a struct between two plugins
				return true
			}
			seen++
			if got := fields[strings.ReplaceAll(name, ".", "_")].typ; got != want {
				t.Errorf("%s is %q in ulogd.proto, want %q; add it at the end: optional %s %s = %d;", name, got, want, want,
					strings.ReplaceAll(name, ".", "_"), next)
				next++
			}
			return true
		})
	}
	if seen < 150 {
		t.Errorf("only %d keys were found", seen)
	}
}
