// The daemon is killed without mercy while its database is locked, and again while it makes up for that.

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// All that had reached the spool is in the database, once.
func TestKilledDaemonKeepsItsSpool(t *testing.T) {
	nstest.Need(t, "root", "native", "tool:sqlite3")
	dir := t.TempDir()
	db, spool := filepath.Join(dir, "flows.sqlite3"), filepath.Join(dir, "spool")
	run := func(pace string) *nstest.Proc {
		return nstest.New(t).Start(t, daemon+" -v -l 3 -c "+write(t, "ulogd.toml", fmt.Sprintf(`
stack = "gen:GEN,out:SQLITE3"
[gen]
count = 0
%s
[out]
db = %q
layout = "native"
buffer = "1MiB"
spool = %q
spool_max = "64MiB"
reconnect = "100ms"
`, pace, db, spool)))
	}
	query := func(text string) string {
		c := exec.Command("sqlite3", "-cmd", ".timeout 30000", db, text)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", text, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	query("PRAGMA journal_mode = WAL")
	lock := exec.Command("sqlite3", db)
	in, err := lock.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := lock.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Start(); err != nil {
		t.Fatal(err)
	}
	in.Write([]byte("BEGIN EXCLUSIVE; SELECT 'locked';\n"))
	out.Read(make([]byte, 1))

	locked := run("rate = 500000")
	nstest.Eventually(t, time.Minute, func() error {
		segments, _ := filepath.Glob(spool + "/rows/*.spool")
		if len(segments) < 5 {
			return fmt.Errorf("there are %d segments yet", len(segments))
		}
		return nil
	})
	locked.Stop(os.Kill)
	in.Close()
	lock.Wait()

	left, later := -1, `interval = "1h"
rate = 1` // whose rows are of later hours
	flows := "FROM flows WHERE time < '2024-01-01 01:00'"
	for range 4 {
		p := run(later)
		held := p.WaitOutput(`the spool holds records of an earlier run .*records=(\d+)`, time.Minute)
		if left < 0 {
			left, _ = strconv.Atoi(held[1])
		}
		p.WaitOutput("connected", time.Minute)
		before := query("SELECT count(*) " + flows)
		nstest.Eventually(t, time.Minute, func() error {
			if query("SELECT count(*) "+flows) == before {
				return errors.New("no rows come")
			}
			return nil
		})
		p.Stop(os.Kill)
		if query("SELECT count(*) "+flows) == strconv.Itoa(left) {
			break
		}
	}
	last := run(later)
	last.WaitOutput("connected", time.Minute)
	nstest.Eventually(t, 2*time.Minute, func() error { // what its shutdown_timeout is too short for would wait for the next
		if segments, _ := filepath.Glob(spool + "/rows/*.spool"); len(segments) > 1 {
			return fmt.Errorf("%d segments of the spool are left", len(segments))
		}
		return nil
	})
	last.Stop(os.Interrupt)
	want := fmt.Sprintf("%d|%d|%d", left, left, left)
	got := query("SELECT count(*), count(DISTINCT flow_end), (max(substr(flow_end, 15, 2) * 60000000 + " +
		"substr(flow_end, 18, 2) * 1000000 + substr(flow_end, 21)) - min(substr(flow_end, 15, 2) * 60000000 + " +
		"substr(flow_end, 18, 2) * 1000000 + substr(flow_end, 21))) / 100 + 1 " + flows)
	if got != want || left < 50000 {
		t.Errorf("rows, different ones, and those from the first to the last: %s, want %s", got, want)
	}
}
