// Command stores measures how fast rows of 20 columns get into real servers and files, beside what the library
// alone does with the same rows, in the same run.
//
//	go run ./test/bench/stores                 all of it; exits 1 when a figure is missed, and says by how much
//	go run ./test/bench/stores -only PGSQL     one of them, by the begin of its name
//	go run ./test/bench/stores -rounds 1 -rows 0.2   quickly: a fifth of the rows
//
// The daemon makes its rows with GEN. Both sides are processes of their own; what counts is the wall time from their
// start to their end, and the CPU time of the process, not of the server. Servers have their data in memory where
// there is /dev/shm.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ulogd/test/bench/measure"
)

// leastShare is what of the bare library's rate is a must.
const leastShare = 2.0 / 3

func main() {
	rounds := flag.Int("rounds", 3, "runs of each side, by turns; the best counts")
	factor := flag.Float64("rows", 1, "factor for the number of rows")
	only := flag.String("only", "", "measure only what begins so")
	binary := flag.String("ulogd", "", "ulogd binary to measure; built anew if empty")
	bare := flag.String("bare", "", "is the other side; for this program's own use")
	flag.Parse()
	if *bare != "" {
		if err := runBare(*bare, flag.Args()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if _, err := os.Stat("/dev/shm"); err == nil {
		os.Setenv("TMPDIR", "/dev/shm")
	}
	b := &bench{rounds: *rounds, factor: *factor, only: *only, ulogd: *binary}
	if err := measure.Run(b.run); err != nil {
		fmt.Fprintln(os.Stderr, "bench-stores:", err)
		os.Exit(1)
	}
	if len(b.missed) > 0 {
		fmt.Fprintf(os.Stderr, "bench-stores: %d figures missed:\n%s\n", len(b.missed), strings.Join(b.missed, "\n"))
		os.Exit(1)
	}
}

type bench struct {
	rounds int
	factor float64
	only   string
	ulogd  string
	dir    string
	missed []string
}

// A target is a way into a store.
type target struct {
	name  string
	goal  float64 // rows a second
	rows  int
	start func(b *bench, t testing.TB) site
}

// A site is a store that runs.
type site struct {
	config string   // of the daemon: the section [out], but for what counts
	output string   // its plugin
	bare   []string // arguments of the other side
	empty  func()   // makes the store as it was
	table  string
	query  func(text string) string // asks a database
	count  func() int               // rows that are there, where there is no database; nil: that is not to be asked
	old    *old                     // how ulogd2 writes there; nil: it does not
	stop   func()                   // ends a server
}

// usage is what a run took.
type usage struct{ wall, cpu time.Duration }

func (b *bench) run(t testing.TB) {
	b.dir = t.TempDir()
	if b.ulogd == "" {
		b.ulogd = filepath.Join(b.dir, "ulogd")
		if out, err := exec.Command("go", "build", "-o", b.ulogd, "./cmd/ulogd").CombinedOutput(); err != nil {
			t.Fatalf("build ulogd: %v\n%s", err, out)
		}
	}
	fmt.Printf("rows of 20 columns; %d processors, the best of %d rounds\n\n%-18s %12s %12s %8s %12s %12s\n", runtime.NumCPU(),
		b.rounds, "", "rows/s", "library", "share", "CPU us/row", "library")
	for _, g := range targets {
		if strings.HasPrefix(g.name, b.only) {
			b.compare(t, g)
		}
	}
}

// compare runs both sides by turns.
func (b *bench) compare(t testing.TB, g target) {
	n := max(int(float64(g.rows)*b.factor), 1000)
	s := g.start(b, t)
	if s.stop != nil {
		defer s.stop()
	}
	if s.query != nil {
		s.count = func() int { return number(s.query("SELECT count(*) FROM " + s.table)) }
	}
	path := filepath.Join(b.dir, "ulogd.toml")
	text := fmt.Sprintf("stack = \"gen:GEN,out:%s\"\n[global]\nloglevel = 5\n[gen]\ncount = %d\n[out]\n%s", s.output, n, s.config)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sides := [2][]string{
		{b.ulogd, "-c", path},
		append([]string{self, "-bare", g.name, fmt.Sprint(n)}, s.bare...),
	}
	var best [2]usage
	for range b.rounds {
		for i, words := range sides {
			if s.empty != nil {
				s.empty()
			}
			u := command(t, words)
			if s.count != nil {
				if got := s.count(); got != n {
					t.Fatalf("%s: %d rows are there, want %d", words[0], got, n)
				}
			}
			if best[i].wall == 0 || u.wall < best[i].wall {
				best[i].wall = u.wall
			}
			if best[i].cpu == 0 || u.cpu < best[i].cpu {
				best[i].cpu = u.cpu
			}
		}
	}
	rate := func(u usage) float64 { return float64(n) / u.wall.Seconds() }
	each := func(u usage) float64 { return u.cpu.Seconds() * 1e6 / float64(n) }
	ours, bare := rate(best[0]), rate(best[1])
	fmt.Printf("%-18s %12.0f %12.0f %7.0f%% %12.2f %12.2f\n", g.name, ours, bare, 100*ours/bare, each(best[0]), each(best[1]))
	b.check(ours >= g.goal, "%s: %.0f rows/s, asked are %.0f: %.0f %% of that", g.name, ours, g.goal, 100*ours/g.goal)
	b.check(ours >= leastShare*bare, "%s: %.0f %% of the library's rate, asked are %.0f %%", g.name, 100*ours/bare, 100*leastShare)
	if s.old != nil && g.name != "MYSQL INSERT" {
		b.beside(t, g, s)
	}
}

func (b *bench) check(ok bool, format string, args ...any) {
	if !ok {
		b.missed = append(b.missed, "MISSED "+fmt.Sprintf(format, args...))
	}
}

// command runs a program to its end.
func command(t testing.TB, words []string) usage {
	c := exec.Command(words[0], words[1:]...)
	began := time.Now()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return usage{time.Since(began), c.ProcessState.UserTime() + c.ProcessState.SystemTime()}
}
