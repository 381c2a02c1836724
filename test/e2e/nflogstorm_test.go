package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// TestNFLOGStormWithLogrotate sends packets as fast as one processor can while logrotate puts the
// file aside again and again: logged and lost packets are what was sent, and no record is torn, in
// two files or in none.
func TestNFLOGStormWithLogrotate(t *testing.T) {
	for _, o := range fileOutputs[:4] { // those with one file whose records can be told at a glance
		t.Run(o.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "records")
			queue := "queue=10000000" // so that a disk which others keep busy costs nothing
			f := startFlooded(t, o, "", file, "", queue)
			rotate(t, f, file, stormSize())
			afterStorm(t, f)
			lost := stats(t, f.config, "log1").Lost
			out := f.settle(t)
			f.stop(t)
			seen := make([]bool, f.sent.Load())
			logged := 0
			files, _ := filepath.Glob(file + "*")
			for _, file := range files {
				numbers, err := o.records(file)
				if err != nil || len(numbers) == 0 {
					t.Fatalf("%s has %d records: %v", file, len(numbers), err)
				}
				for _, n := range numbers {
					if seen[n] {
						t.Fatalf("%s: packet %d is there twice", file, n)
					}
					seen[n] = true
					logged++
				}
			}
			if logged+int(lost) != len(seen) || out.Dropped > 0 || len(files) != rotations+1 {
				t.Errorf("%d packets logged, %d lost and %d dropped of %d, in %d files", logged, lost, out.Dropped, len(seen), len(files))
			}
			t.Logf("%d packets sent, %d logged, %d lost by the kernel", len(seen), logged, lost)
		})
	}
}

// stormSize is how many packets a storm has.
func stormSize() int {
	if os.Getenv("ULOGD_STORMS") != "" {
		return 2_000_000
	}
	return 100_000
}

// rotations is how often logrotate puts the file aside.
const rotations = 4

// rotate sends n packets, or more if logrotate takes longer.
func rotate(t *testing.T, f *flooded, file string, n int) {
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules")
	text := file + " {\n missingok\n rotate 100\n sharedscripts\n create 640\n postrotate\n  kill -HUP $(cat " + f.pidfile + ")\n endscript\n}\n"
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var rotated atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.send(t, func() bool { return int(f.sent.Load()) >= n && rotated.Load() })
	}()
	for i := range rotations {
		for int(f.sent.Load()) < n*(i+1)/(rotations+1) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		if out, err := exec.Command("logrotate", "-f", "-s", filepath.Join(dir, "state"), rules).CombinedOutput(); err != nil {
			t.Errorf("logrotate: %v\n%s", err, out)
		}
		// Before the next rotation the daemon opens the file and writes: two that come before it has
		// seen the first would leave an empty file between them.
		nstest.Eventually(t, time.Minute, func() error {
			info, err := os.Stat(file)
			if err == nil && info.Size() == 0 {
				err = fmt.Errorf("%s is empty after a rotation", file)
			}
			return err
		})
	}
	rotated.Store(true)
	<-done
}

// afterStorm waits until the storm is over, and sends a few packets more: their numbers tell the
// daemon of what was lost at its end.
func afterStorm(t *testing.T, f *flooded) {
	for before := int64(-1); before != stats(t, f.config, "log1").Made; time.Sleep(300 * time.Millisecond) {
		before = stats(t, f.config, "log1").Made
	}
	f.sendMore(t, 3)
}
