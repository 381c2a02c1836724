// The stores, and how the daemon is told of them.

package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"ulogd/test/dbtest"
)

var targets = []target{
	{"SQLITE3", 400_000, 1_500_000, sqlite3},
	{"PGSQL COPY", 300_000, 1_500_000, postgresql},
	{"MYSQL LOAD DATA", 200_000, 600_000, mariadb("", "load")},
	{"MYSQL INSERT", 100_000, 300_000, mariadb("--local-infile=0", "insert")},
	{"CLICKHOUSE", 1_000_000, 3_000_000, clickhouse},
	{"KAFKA", 500_000, 1_000_000, kafka},
	{"PARQUET", 1_500_000, 4_000_000, parquet},
}

// columns are the 20 of a row, with the types that PostgreSQL and MariaDB have for them.
var columns = []struct{ name, pg, my string }{
	{"oob_family", "smallint", "tinyint unsigned"},
	{"oob_protocol", "integer", "smallint unsigned"},
	{"orig_ip_saddr", "inet", "varchar(39)"},
	{"orig_ip_daddr", "inet", "varchar(39)"},
	{"orig_ip_protocol", "smallint", "tinyint unsigned"},
	{"orig_l4_sport", "integer", "smallint unsigned"},
	{"orig_l4_dport", "integer", "smallint unsigned"},
	{"orig_raw_pktlen", "bigint", "bigint unsigned"},
	{"orig_raw_pktcount", "bigint", "bigint unsigned"},
	{"reply_ip_saddr", "inet", "varchar(39)"},
	{"reply_ip_daddr", "inet", "varchar(39)"},
	{"reply_ip_protocol", "smallint", "tinyint unsigned"},
	{"reply_l4_sport", "integer", "smallint unsigned"},
	{"reply_l4_dport", "integer", "smallint unsigned"},
	{"reply_raw_pktlen", "bigint", "bigint unsigned"},
	{"reply_raw_pktcount", "bigint", "bigint unsigned"},
	{"ct_mark", "bigint", "int unsigned"},
	{"ct_event", "bigint", "int unsigned"},
	{"flow_start", "timestamptz", "datetime(6)"},
	{"flow_end", "timestamptz", "datetime(6)"},
}

// list joins what f says of each column.
func list(f func(i int) string) string {
	words := make([]string, len(columns))
	for i := range columns {
		words[i] = f(i)
	}
	return strings.Join(words, ", ")
}

func names() string { return list(func(i int) string { return columns[i].name }) }

// keys is the option keys for outputs whose tables are their own.
func keys() string {
	return "keys = [" + list(func(i int) string {
		return strconv.Quote(strings.NewReplacer("oob_", "oob.", "_ip_", ".ip.", "_l4_", ".l4.", "_raw_", ".raw.", "ct_", "ct.",
			"flow_", "flow.").Replace(columns[i].name))
	}) + "]\n"
}

func number(text string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(text))
	return n
}

func sqlite3(b *bench, t testing.TB) site {
	path := filepath.Join(b.dir, "flows.sqlite3")
	run := func(text string) string {
		out, err := exec.Command("sqlite3", path, text).CombinedOutput()
		if err != nil {
			t.Fatalf("sqlite3: %v: %s", err, out)
		}
		return string(out)
	}
	return site{
		output: "SQLITE3", config: fmt.Sprintf("db = %q\ntable = \"t\"\n", path), bare: []string{path},
		empty: func() {
			for _, end := range []string{"", "-wal", "-shm"} {
				os.Remove(path + end)
			}
			run("CREATE TABLE t (" + names() + ")")
		},
		query: run, table: "t",
		old: &old{config: fmt.Sprintf("db=%q\n", path)},
	}
}

func postgresql(_ *bench, t testing.TB) site {
	s := dbtest.PostgreSQL(t)
	return site{
		output: "PGSQL", config: fmt.Sprintf("host = %q\nport = %d\ndb = \"postgres\"\nuser = \"postgres\"\ntable = \"t\"\n", s.Dir, s.Port),
		bare: []string{fmt.Sprintf("host=%s port=%d dbname=postgres user=postgres", s.Dir, s.Port)},
		empty: func() {
			s.SQL("postgres", "DROP TABLE IF EXISTS t; CREATE TABLE t ("+list(func(i int) string { return columns[i].name + " " + columns[i].pg })+
				"); CHECKPOINT")
		},
		query: func(text string) string { return s.SQL("postgres", text) }, table: "t",
		old: &old{
			id:     "_id bigserial primary key",
			config: fmt.Sprintf("host=%q\nport=%d\ndb=\"postgres\"\nuser=\"postgres\"\nprocedure=\"INSERT\"\n", s.Dir, s.Port),
		},
		stop: s.Kill,
	}
}

func mariadb(arg, way string) func(*bench, testing.TB) site {
	return func(_ *bench, t testing.TB) site {
		args := []string{"--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=512M"}
		if arg != "" {
			args = append(args, arg)
		}
		s := dbtest.MariaDB(t, args...)
		db := s.Database()
		s.SQL("mysql", "CREATE USER ulogd@localhost IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO ulogd@localhost")
		return site{
			output: "MYSQL", config: fmt.Sprintf("host = \"%s/socket\"\ndb = %q\nuser = \"root\"\ntable = \"t\"\n", s.Dir, db),
			bare: []string{s.Dir + "/socket", db, way},
			empty: func() {
				s.SQL(db, "DROP TABLE IF EXISTS t; CREATE TABLE t (_id bigint auto_increment primary key, "+
					list(func(i int) string { return columns[i].name + " " + columns[i].my })+") ENGINE=InnoDB")
			},
			query: func(text string) string { return s.SQL(db, text) }, table: "t",
			old: &old{
				id:     "_id bigint auto_increment primary key",
				config: fmt.Sprintf("host=\"localhost\"\ndb=%q\nuser=\"ulogd\"\npass=\"secret\"\nprocedure=\"INSERT\"\n", db),
				socket: s.Dir + "/socket",
			},
			stop: s.Kill,
		}
	}
}

func clickhouse(_ *bench, t testing.TB) site {
	s := dbtest.ClickHouse(t)
	url := fmt.Sprintf("http://127.0.0.1:%d", s.Port)
	return site{
		output: "CLICKHOUSE", config: fmt.Sprintf("url = %q\ncreate = true\n", url) + keys(), bare: []string{url},
		empty: func() {
			s.SQL("default", "DROP TABLE IF EXISTS ulogd")
			s.SQL("default", "CREATE TABLE ulogd (time DateTime, "+list(func(i int) string { return columns[i].name + " " + clickhouseType(i) })+
				") ENGINE = MergeTree PARTITION BY toYYYYMMDD(time) ORDER BY time")
		},
		query: func(text string) string { return s.SQL("default", text) }, table: "ulogd",
		stop: s.Kill,
	}
}

// clickhouseType is what the output makes of the key on a server as old as Debian's.
func clickhouseType(i int) string {
	return "Nullable(" + map[string]string{
		"inet": "FixedString(16)", "tinyint unsigned": "UInt8", "smallint unsigned": "UInt16", "int unsigned": "UInt32",
		"bigint unsigned": "UInt64", "timestamptz": "DateTime",
	}[map[bool]string{true: columns[i].pg, false: columns[i].my}[columns[i].pg == "inet" || columns[i].pg == "timestamptz"]] + ")"
}

// kafka is franz-go's mock cluster, in this process: no broker of Kafka's own can be had here.
func kafka(_ *bench, t testing.TB) site {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "flows"))
	if err != nil {
		t.Fatal(err)
	}
	at := c.ListenAddrs()[0]
	return site{
		output: "KAFKA", config: fmt.Sprintf("brokers = [%q]\ntopic = \"flows\"\n", at) + keys(), bare: []string{at},
		stop: c.Close,
	}
}

func parquet(b *bench, t testing.TB) site {
	dir := filepath.Join(b.dir, "parquet")
	return site{
		output: "PARQUET", config: fmt.Sprintf("directory = %q\n", dir) + keys(), bare: []string{dir},
		empty: func() {
			os.RemoveAll(dir)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		},
		count: func() (n int) {
			filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					n += rowsOf(t, path)
				}
				return err
			})
			return n
		},
	}
}
