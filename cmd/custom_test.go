package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The walk-through of CONTRIBUTING.md, followed to the letter, outside of this repository and without a network.
func TestWalkThroughOfCONTRIBUTING(t *testing.T) {
	repo, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, filepath.Join(repo, "CONTRIBUTING.md"))
	dir := t.TempDir()
	files := regexp.MustCompile("(?s)\n`([a-z./]+)`:\n\n```[a-z]*\n(.*?)```\n").FindAllStringSubmatch(text, -1)
	for _, f := range files {
		path := filepath.Join(dir, f[1])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(f[2], "=> ../ulogd", "=> "+repo, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if len(files) != 4 {
		t.Fatalf("%d files in CONTRIBUTING.md, want go.mod, the plugin, main.go and a configuration", len(files))
	}
	// In place of go mod tidy, which would look beyond what the build needs.
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), []byte(read(t, filepath.Join(repo, "go.sum"))), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-mod=mod", "-o", "ulogd-score", ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program := filepath.Join(dir, "ulogd-score")
	finish(t, exec.Command(program, "plugins", "SCORE")).exits(0).says("Name: SCORE", "factor (integer, default 1)", "orig.raw.pktlen", "flow.score")
	r := finish(t, exec.Command(program, "-c", filepath.Join(dir, "score.toml"))).exits(0)
	lines := regexp.MustCompile(`(?m)^orig\.ip\.saddr=\S+ orig\.ip\.daddr=\S+ flow\.score=[1-9]\d*$`).FindAllString(r.stdout, -1)
	if len(lines) != 100 {
		t.Errorf("%d of 100 flows have a score:\n%s", len(lines), r.stdout)
	}
	finish(t, exec.Command(program, "-V")).exits(0).says("ulogd Version ")
}
