// The page with the questions: they are read from there, and the table is written there.

package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

var (
	view     = regexp.MustCompile("(?s)```sql\n(CREATE VIEW .*?)```")
	question = regexp.MustCompile("(?s)```sql\n([^`]*?)```\n\n```json\n")
	title    = regexp.MustCompile(`(?m)^## (\d+\. .*)$`)
	measured = regexp.MustCompile("(?s)(<!-- bench-day -->\n).*(<!-- end -->)")
)

// asked returns the page's view of files, and its questions.
func asked(t testing.TB, dir string) (begin string, list [questions]string) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.ReplaceAll(string(text), "/var/lib/ulogd/flows", dir)
	found := question.FindAllStringSubmatch(all, -1)
	if len(found) != questions {
		t.Fatalf("%s has %d questions, want %d", page, len(found), questions)
	}
	for q := range list {
		list[q] = found[q][1]
	}
	return view.FindStringSubmatch(all)[1], list
}

// titles returns what the page calls its questions.
func titles() (list []string) {
	text, _ := os.ReadFile(page)
	for _, m := range title.FindAllStringSubmatch(string(text), -1) {
		list = append(list, m[1])
	}
	return list
}

// write puts the table into the page, with what it was measured on.
func (d *day) write() error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	model, kernel := "", ""
	if out, err := exec.Command("sh", "-c", "sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1").Output(); err == nil {
		model = strings.TrimSpace(string(out))
	}
	if out, err := exec.Command("uname", "-sr").Output(); err == nil {
		kernel = strings.TrimSpace(string(out))
	}
	about := fmt.Sprintf("Measured on %s: %s flows, %d processors (%s),\n%s, %s.\n\n", time.Now().Format(time.DateOnly),
		thousands(d.rows), runtime.NumCPU(), model, kernel, runtime.Version())
	out := measured.ReplaceAllLiteralString(string(text), "<!-- bench-day -->\n"+about+d.table.String()+"<!-- end -->")
	return os.WriteFile(page, []byte(out), 0o644)
}
