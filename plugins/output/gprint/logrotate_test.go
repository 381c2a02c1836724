package gprint

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ulogd/engine"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// TestLogrotate has logrotate put the file aside again and again while records are written: every
// one is in some file, whole and once.
func TestLogrotate(t *testing.T) {
	nstest.Need(t, "tool:logrotate")
	dir := t.TempDir()
	path, conf := filepath.Join(dir, "gprint.log"), filepath.Join(dir, "conf")
	text := fmt.Sprintf("%s {\n rotate 100\n create\n missingok\n postrotate\n  kill -HUP %d\n endscript\n}\n", path, os.Getpid())
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	shape := stacktest.Record{{Name: "oob.mark", Value: "0"}, {Name: "oob.prefix", Value: strings.Repeat("x", 100)}}
	st := stacktest.Setup{Output: "GPRINT", Options: map[string]string{"file": path}, Shape: []stacktest.Record{shape}}.Start(t)

	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer func() {
		signal.Stop(hangup)
		close(hangup)
	}()
	go func() {
		for range hangup {
			st.Machine.Signal(engine.Reopen)
		}
	}()
	sent := 0
	for range 5 {
		for range 50 {
			var recs []stacktest.Record
			for range 20 {
				recs = append(recs, shape.With("oob.mark", strconv.Itoa(sent)))
				sent++
			}
			st.Send(recs...)
		}
		if out, err := exec.Command("logrotate", "-f", "-s", filepath.Join(dir, "state"), conf).CombinedOutput(); err != nil {
			t.Fatalf("logrotate: %v\n%s", err, out)
		}
	}
	st.End()

	files, _ := filepath.Glob(path + "*")
	if len(files) != 6 {
		t.Errorf("%d files, want 6: %v", len(files), files)
	}
	seen := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			mark, ok := strings.CutSuffix(line, ",oob.prefix="+strings.Repeat("x", 100)+"\n")
			if !ok || seen[mark] || !strings.HasPrefix(mark, "oob.mark=") {
				t.Fatalf("%s has a torn or second line %q", file, line)
			}
			seen[mark] = true
		}
	}
	if len(seen) != sent {
		t.Errorf("%d lines of %d", len(seen), sent)
	}
}
