// Package duck reads tests' files with DuckDB, which is built from test/peers/duckdb.
package duck

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// DB is the program.
type DB struct{ program string }

// Build builds DuckDB for a test. That takes a minute, so ULOGD_PEERS=1 asks for it, as make test
// does; without it the test is skipped. ULOGD_DUCKDB names a program that was built before.
func Build(t testing.TB) *DB {
	t.Helper()
	if path := os.Getenv("ULOGD_DUCKDB"); path != "" {
		return &DB{path}
	}
	if os.Getenv("ULOGD_PEERS") == "" || runtime.GOARCH != "amd64" {
		t.Skip("DuckDB is built with ULOGD_PEERS=1 only, as in make test")
	}
	_, here, _, _ := runtime.Caller(0)
	if !filepath.IsAbs(here) { // -trimpath
		mod, err := exec.Command("go", "env", "GOMOD").Output()
		if err != nil {
			t.Fatal(err)
		}
		here = filepath.Join(filepath.Dir(strings.TrimSpace(string(mod))), "test/duck/duck.go")
	}
	db := &DB{filepath.Join(t.TempDir(), "duckdb")}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", db.program, ".")
	build.Dir = filepath.Join(filepath.Dir(here), "../peers/duckdb")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build DuckDB: %v\n%s", err, out)
	}
	return db
}

// Query runs SQL and returns the rows of its answer, each as a line of JSON.
func (db *DB) Query(t testing.TB, sql string) []string {
	t.Helper()
	c := exec.Command(db.program)
	c.Stdin = strings.NewReader(sql)
	out, err := c.Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			out = e.Stderr
		}
		t.Fatalf("%v: %s\n%s", err, out, sql)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// Row reads a line of Query's.
func Row(t testing.TB, line string) (row map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &row); err != nil {
		t.Fatal(err)
	}
	return row
}
