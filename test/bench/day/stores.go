// The three stores, and how they are asked.

package main

import (
	_ "embed"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ulogd/test/dbtest"
	"ulogd/test/duck"
)

//go:embed postgresql.sql
var inPostgreSQL string

//go:embed clickhouse.sql
var inClickHouse string

// split returns the questions of a file, each behind a line with its number.
func split(t testing.TB, text string) (list [questions]string) {
	for q := range questions {
		_, rest, ok := strings.Cut(text, fmt.Sprintf("\n-- %d\n", q+1))
		if !ok {
			t.Fatalf("there is no question %d", q+1)
		}
		list[q], _, _ = strings.Cut(rest, fmt.Sprintf("\n-- %d\n", q+2))
		list[q] = strings.TrimSuffix(strings.TrimSpace(list[q]), ";")
	}
	return list
}

func number(t testing.TB, text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func parquet(t testing.TB) store {
	db, dir := duck.Build(t), t.TempDir()
	view, ask := asked(t, dir)
	return store{
		name: "Parquet, DuckDB", output: "PARQUET", config: fmt.Sprintf("directory = %q\n", dir), ask: ask,
		settle: func() {},
		octets: func() (sum int64) {
			filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					if info, err := d.Info(); err == nil {
						sum += info.Size()
					}
				}
				return err
			})
			return sum
		},
		run: func(question string) []map[string]any {
			return objects(t, strings.Join(db.Query(t, view+question), "\n"))
		},
		stop: func() {},
	}
}

func clickhouse(t testing.TB) store {
	s := dbtest.ClickHouse(t)
	return store{
		name: "ClickHouse 18.16", output: "CLICKHOUSE", ask: split(t, inClickHouse),
		config: fmt.Sprintf("url = \"http://127.0.0.1:%d\"\ncreate = true\n", s.Port),
		settle: func() {},
		octets: func() int64 {
			return number(t, s.SQL("default", "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'ulogd'"))
		},
		run: func(question string) []map[string]any {
			return objects(t, s.SQL("default", question+" FORMAT JSONEachRow"))
		},
		stop: s.Kill,
	}
}

func postgresql(t testing.TB) store {
	s := dbtest.PostgreSQL(t, "-c", "shared_buffers=1GB", "-c", "work_mem=64MB", "-c", "max_wal_size=2GB")
	return store{
		name: "PostgreSQL 15", output: "PGSQL", ask: split(t, inPostgreSQL),
		config: fmt.Sprintf("host = %q\nport = %d\ndb = \"postgres\"\nuser = \"postgres\"\nlayout = \"native\"\ncreate = true\n",
			s.Dir, s.Port),
		settle: func() { s.SQL("postgres", "VACUUM ANALYZE") },
		octets: func() int64 {
			return number(t, s.SQL("postgres", "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "+
				"WHERE relname LIKE 'flows%' AND relkind = 'r'"))
		},
		run: func(question string) []map[string]any {
			return objects(t, s.SQL("postgres", "SELECT to_json(answer) FROM ("+question+") AS answer"))
		},
		stop: s.Kill,
	}
}
