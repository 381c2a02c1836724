package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReload(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ulogd.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const first = `
stack = ["g:GEN,n:NULL"]
control = "DIR/control"
loglevel = 3
sandbox = "off" # what comes later writes where nothing did
[g]
count = 0
rate = 1000
`
	more := strings.Replace(first, `["g`, `["g:GEN,p:PRINT", "g`, 1) + "[p]\nfile = \"DIR/out\"\nkeys = [\"ct.id\"]\n"
	write(first)
	p := start(t, "-c", path).up()
	if r := ulogd(t, "reload", "-c", path).exits(0); r.stdout != "nothing has changed\n" {
		t.Errorf("prints %q", r.stdout)
	}
	write(more)
	want := "kept       g:GEN n:NULL\nadded      p:PRINT\nbound anew g:GEN,p:PRINT\n"
	if r := ulogd(t, "reload", "--dry-run", "-c", path).exits(0); r.stdout != want {
		t.Errorf("prints %q, want %q", r.stdout, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("--dry-run opens the output")
	}
	if r := ulogd(t, "reload", "-c", path).exits(0); r.stdout != want {
		t.Errorf("prints %q, want %q", r.stdout, want)
	}
	p.logs(`reloaded kept="\[g:GEN n:NULL\]" changed=\[\] added=\[p:PRINT\] removed=\[\]`)
	ulogd(t, "stats", "-c", path, "p").exits(0)

	// What is wrong is said with its place, and changes nothing.
	write(more + "nokey = 1\n")
	ulogd(t, "reload", "-c", path).exits(1).says(path+":12: [p] nokey: unknown option",
		"nothing was changed: the daemon runs on as before")
	write(strings.Replace(more, "DIR/control", "DIR/other", 1))
	ulogd(t, "reload", "-c", path, "--socket",
		filepath.Join(dir, "control")).exits(1).says(":3: [global] control: has changed; that needs a restart")
	ulogd(t, "stats", "--socket", filepath.Join(dir, "control"), "p").exits(0)

	// Another file is another daemon's.
	ulogd(t, "reload", "-c", file(t, "x.toml", first), "--socket",
		filepath.Join(dir, "control")).exits(1).says("this daemon runs with " + path)

	write(strings.Replace(first, "loglevel = 3", "loglevel = 5", 1))
	ulogd(t, "reload", "-c", path).exits(0)
	p.logs(`taken out id=p plugin=PRINT in=\d+ out=\d+`)
	ulogd(t, "stats", "-c", path, "p").exits(1).says(`there is no instance "p"; there are g, n`)
	p.signal(syscall.SIGTERM)
	p.ends(0)
}
