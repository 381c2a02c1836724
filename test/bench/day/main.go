// Command day measures what a store makes of a gateway's day: ten million flows, made by GEN with traffic = "gateway",
// are written into Parquet files, ClickHouse and PostgreSQL's native tables, and the ten questions of docs/queries.md
// are asked. All three have to give the same answers.
//
//	go run ./test/bench/day                 all of it: some minutes, and 4 GB of disk below TMPDIR
//	go run ./test/bench/day -rows 200000    a smaller day
//	go run ./test/bench/day -write          writes the table of docs/queries.md anew
//
// It needs root, and the servers of .ci/peers; DuckDB is built from test/peers.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ulogd/test/bench/measure"
)

const page = "docs/queries.md"

func main() {
	rows := flag.Int("rows", 10_000_000, "flows of the day")
	write := flag.Bool("write", false, "write the table of "+page+" anew")
	flag.Parse()
	os.Setenv("ULOGD_PEERS", "1") // DuckDB is to be built
	d := &day{rows: *rows}
	err := measure.Run(d.run)
	if err == nil && *write {
		err = d.write()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-day:", err)
		os.Exit(1)
	}
}

// A day is the flows, and how long it took to ask for them.
type day struct {
	rows  int
	table strings.Builder
}

// tries is how often a question is asked; the fastest answer counts.
const tries = 3

// questions is how many there are.
const questions = 10

// A store is one that runs.
type store struct {
	name   string
	config string // of the daemon: the section [out]
	output string
	settle func()       // what an administrator has the server do with so many new rows
	octets func() int64 // on disk
	ask    [questions]string
	run    func(question string) []map[string]any
	stop   func()
}

// A result is what was measured of a store.
type result struct {
	name    string
	fill    time.Duration
	octets  int64
	times   [questions]time.Duration
	answers [questions][]string
}

func (d *day) run(t testing.TB) {
	dir := t.TempDir()
	ulogd := filepath.Join(dir, "ulogd")
	if out, err := exec.Command("go", "build", "-o", ulogd, "./cmd/ulogd").CombinedOutput(); err != nil {
		t.Fatalf("build ulogd: %v\n%s", err, out)
	}
	var results []result
	for _, start := range []func(testing.TB) store{parquet, clickhouse, postgresql} {
		s := start(t)
		r := result{name: s.name}
		r.fill = d.fill(t, ulogd, filepath.Join(dir, "ulogd.toml"), &s)
		s.settle()
		r.octets = s.octets()
		for q := range questions {
			for range tries {
				began := time.Now()
				answer := s.run(s.ask[q])
				if took := time.Since(began); r.times[q] == 0 || took < r.times[q] {
					r.times[q] = took
				}
				r.answers[q] = lines(answer)
			}
		}
		s.stop()
		results = append(results, r)
		fmt.Fprintf(os.Stderr, "%s: filled in %v\n", r.name, r.fill)
	}
	for q := range questions {
		for _, r := range results[1:] {
			if !slices.Equal(r.answers[q], results[0].answers[q]) {
				t.Errorf("question %d: %s answers\n%s\n%s\n%s", q+1, results[0].name, strings.Join(results[0].answers[q], "\n"),
					r.name, strings.Join(r.answers[q], "\n"))
			}
		}
	}
	d.tell(results)
}

// fill has the daemon write the day.
func (d *day) fill(t testing.TB, ulogd, path string, s *store) time.Duration {
	text := fmt.Sprintf("stack = \"gen:GEN,out:%s\"\n[global]\nloglevel = 5\n[gen]\ntraffic = \"gateway\"\ncount = %d\n"+
		"interval = \"%dns\"\n[out]\n%s", s.output, d.rows, 24*int64(time.Hour)/int64(d.rows), s.config)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if out, err := exec.Command(ulogd, "-c", path).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", s.name, err, out)
	}
	return time.Since(began)
}

// lines are an answer in a form that all stores share: they write numbers of 64 bits as they please.
func lines(answer []map[string]any) (list []string) {
	for _, row := range answer {
		var words []string
		for _, name := range slices.Sorted(maps.Keys(row)) {
			words = append(words, fmt.Sprintf("%s=%v", name, row[name]))
		}
		list = append(list, strings.Join(words, " "))
	}
	return list
}

// objects reads the lines of an answer, each an object of JSON.
func objects(t testing.TB, text string) (rows []map[string]any) {
	for line := range strings.Lines(text) {
		row := map[string]any{}
		in := json.NewDecoder(strings.NewReader(line))
		in.UseNumber()
		if err := in.Decode(&row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		rows = append(rows, row)
	}
	return rows
}

// tell prints the table.
func (d *day) tell(results []result) {
	b := &d.table
	b.WriteString("| |")
	for _, r := range results {
		b.WriteString(" " + r.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(results)) + "\n")
	row := func(name string, cell func(r result) string) {
		b.WriteString("| " + name + " |")
		for _, r := range results {
			b.WriteString(" " + cell(r) + " |")
		}
		b.WriteString("\n")
	}
	row("rows a second, written", func(r result) string {
		return thousands(int(float64(d.rows)/r.fill.Seconds()/1000) * 1000)
	})
	row("octets a row, on disk", func(r result) string { return fmt.Sprintf("%.1f", float64(r.octets)/float64(d.rows)) })
	for q, title := range titles() {
		row(title, func(r result) string { return fmt.Sprintf("%.2f s", r.times[q].Seconds()) })
	}
	fmt.Print(b.String())
}

// thousands writes a number with a comma behind each thousand.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
