// The walk-through of docs/writing-a-plugin.md, followed to the letter, outside of this repository and without a network.

package cmd_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ulogd/test/nstest"
)

func TestPluginsOfTheDocumentation(t *testing.T) {
	nstest.Need(t, "native") // the kernel runs what it builds
	repo, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	page := read(t, filepath.Join(repo, "docs/writing-a-plugin.md"))
	dir := t.TempDir()
	database := listen(t)
	rows := make(chan string, 10)
	go answer(database, rows)

	files := regexp.MustCompile("(?s)\n`([a-z./_]+)`:\n\n```[a-z]*\n(.*?)```\n").FindAllStringSubmatch(page, -1)
	if len(files) != 9 {
		t.Fatalf("%d files, want go.mod, main.go, four plugins, a test, flows and a configuration", len(files))
	}
	local := strings.NewReplacer("=> ../ulogd", "=> "+repo, "127.0.0.1:7000", database.Addr().String())
	for _, f := range files {
		path := filepath.Join(dir, f[1])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(local.Replace(f[2])), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// In place of go mod tidy, which would look beyond what the build needs.
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), []byte(read(t, filepath.Join(repo, "go.sum"))), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"build", "-mod=mod", "-o", "ulogd-score", "."}, {"test", "-mod=mod", "./..."}} {
		c := exec.Command("go", args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", args[0], err, out)
		}
	}

	program := filepath.Join(dir, "ulogd-score")
	finish(t, exec.Command(program, "plugins", "SCORE")).exits(0).says("SCORE", "factor", "orig.raw.pktlen", "flow.score")
	finish(t, exec.Command(program, "plugins", "ROWDB")).exits(0).says("address", "queue", "when_full")
	finish(t, exec.Command(program, "-V")).exits(0).says("ulogd Version ")
	c := exec.Command(program, "-c", "score.toml")
	c.Dir = dir
	r := finish(t, c).exits(3).says("malformed=1")
	_, printed, _ := strings.Cut(page, "    orig.ip.saddr=10.0.0.1")
	printed, _, _ = strings.Cut("    orig.ip.saddr=10.0.0.1"+printed, "\n\n")
	if want := strings.ReplaceAll(printed, "    ", "") + "\n"; r.stdout != want {
		t.Errorf("the daemon prints\n%sthe page says\n%s", r.stdout, want)
	}
	batches, _ := filepath.Glob(filepath.Join(dir, "batches", "*.csv"))
	if len(batches) != 1 {
		t.Fatalf("there are %q, want a file", batches)
	}
	_, printed, _ = strings.Cut(page, "    cat batches/*.csv\n\n")
	printed, _, _ = strings.Cut(printed, "\n\n")
	if got, want := read(t, batches[0]), strings.ReplaceAll(printed, "    ", "")+"\n"; got != want {
		t.Errorf("the file of a batch has\n%sthe page says\n%s", got, want)
	}
	for _, want := range []string{
		"INSERT INTO flows VALUES ('10.0.0.1', 15000);", "INSERT INTO flows VALUES ('2001:db8::1', 640);",
	} {
		if got := <-rows; got != want {
			t.Errorf("the database has %s, want %s", got, want)
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// answer is a database that takes every row.
func answer(l net.Listener, rows chan<- string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		for in := bufio.NewScanner(c); in.Scan(); c.Write([]byte("OK\n")) {
			rows <- in.Text()
		}
		c.Close()
	}
}
