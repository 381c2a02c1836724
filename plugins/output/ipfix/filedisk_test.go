// Files on a disk that is full for a while, written by the daemon as it is built.

package ipfix

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ulogd/engine"
	"ulogd/test/nstest"
)

// TestFileOnFullDisk fills a small disk, makes room, and wants whole messages alone, as many
// records as were counted, and one complaint.
func TestFileOnFullDisk(t *testing.T) {
	nstest.Need(t, "root", "tool:unshare")
	for _, name := range []string{"flows.ipfix", "flows.ipfix.zst"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk, dir := t.TempDir(), t.TempDir()
			d := startDaemon(t, fmt.Sprintf(`
[global]
stack = "flows:GEN,out:IPFIX"
control = "%s/control"
[flows]
count = 0
rate = 40000
[out]
file = "%s/%s"
buffer = "1MiB"
flush_interval = 0.1
`, dir, disk, name), "unshare", "--mount", "sh", "-c", `mount -t tmpfs -o size=8m none "$0" && head -c 7m /dev/zero >"$0"/ballast && exec "$@"`, disk)
			d.until("a full disk", func(s engine.Snapshot) bool { return s.Dropped > 1000 })
			// What stays of the disk when the daemon's mounts are gone.
			root, err := os.OpenRoot(fmt.Sprintf("/proc/%d/root%s", d.cmd.Process.Pid, disk))
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			full, _ := d.stats()
			if err := root.Remove("ballast"); err != nil {
				t.Fatal(err)
			}
			d.until("writing again", func(s engine.Snapshot) bool { return s.Out > full.Out+5000 })
			log := d.signal(syscall.SIGTERM)

			if n := strings.Count(log, "cannot write"); n != 1 {
				t.Errorf("%d complaints within a minute:\n%s", n, log)
			}
			if !strings.Contains(log, "the file works again") {
				t.Errorf("the log does not tell that the file works again:\n%s", log)
			}
			out := 0
			if m := regexp.MustCompile(`plugin=IPFIX .* out=(\d+)`).FindStringSubmatch(log); m != nil {
				out, _ = strconv.Atoi(m[1])
			}
			content, err := root.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s, records, in := newSession(), 0, bytes.NewReader(unpacked(t, path))
			for {
				msg, err := readMessage(in)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				records += len(s.must(t, msg))
			}
			if records == 0 || records != out {
				t.Errorf("the file has %d records, %d are counted as out", records, out)
			}
		})
	}
}
