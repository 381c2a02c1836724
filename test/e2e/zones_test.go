// Local times are those of the machine, also of a router, and also when they change while the daemon
// runs.

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// TestZoneOfTheMachineChanges runs the daemon with an /etc of its own: a router's /etc/TZ, then,
// each told by SIGHUP, another one, an /etc/localtime, and none of both. Lines of LOGEMU and JSON and
// the daemon's own log have the zone of their time.
func TestZoneOfTheMachineChanges(t *testing.T) {
	nstest.Need(t, "root", "nflog")
	t.Setenv("TZ", "") // else it would decide
	os.Unsetenv("TZ")
	ns := nstest.New(t)
	ns.Nft(t, "table inet logged { chain o { type filter hook output priority 0; udp dport 9 log group 5; }; }")
	dir := t.TempDir()
	lines, objects := filepath.Join(dir, "lines"), filepath.Join(dir, "objects")
	config := write(t, "ulogd.toml", fmt.Sprintf(`
stack = ["log:NFLOG,base:BASE,if:IFINDEX,ip:IP2STR,print:PRINTPKT,lines:LOGEMU", "log:NFLOG,base:BASE,if:IFINDEX,ip:IP2STR,json:JSON"]
[log]
group = 5
[lines]
file = %q
time_format = "iso8601"
sync = true
[json]
file = %q
sync = true
`, lines, objects))
	// `ip netns exec` gives the process mounts of its own.
	p := ns.Start(t, "sh -c", "mount -t tmpfs none /etc && printf '<+0330>-3:30\n' >/etc/TZ && exec "+
		""+daemon+" -v -l 3 -c "+config)
	p.WaitOutput("entering main loop", time.Minute)
	etc := fmt.Sprintf("/proc/%d/root/etc/", p.PID())
	seen := 0
	var offsets []time.Duration
	check := func(offset time.Duration, suffix string) {
		t.Helper()
		seen++
		ns.Do(t, func() {
			c, err := net.Dial("udp4", "127.0.0.1:9")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Write([]byte("x"))
		})
		count := func(path string) string {
			t.Helper()
			var last string
			nstest.Eventually(t, time.Minute, func() error {
				text, _ := os.ReadFile(path)
				if n := strings.Count(string(text), "\n"); n < seen {
					return fmt.Errorf("%d lines of %d in %s", n, seen, path)
				}
				all := strings.Split(strings.TrimSpace(string(text)), "\n")
				last = all[len(all)-1]
				return nil
			})
			return last
		}
		now := time.Now()
		near := func(what, layout, text string) {
			t.Helper()
			at, err := time.ParseInLocation(layout, text, time.FixedZone("", int(offset/time.Second)))
			if d := now.Sub(at); err != nil || d < -time.Minute || d > time.Minute {
				t.Errorf("%s: the time is %q, want %s (%v)", what, text, now.Add(offset).UTC().Format(layout), err)
			}
		}
		stamp, _, _ := strings.Cut(count(lines), " ")
		near("LOGEMU", "2006-01-02T15:04:05Z07:00", stamp)
		if !strings.HasSuffix(stamp, suffix) {
			t.Errorf("LOGEMU: %q does not end with %q", stamp, suffix)
		}
		object := count(objects)
		m := regexp.MustCompile(`"timestamp": ?"([^"]+)"`).FindStringSubmatch(object)
		if m == nil {
			t.Fatalf("no timestamp in %s", object)
		}
		layout := "2006-01-02T15:04:05.999999-0700"
		if offset == 0 {
			layout = "2006-01-02T15:04:05.999999" // ulogd2 says nothing of UTC
		}
		near("JSON", layout, m[1])
		offsets = append(offsets, offset)
	}
	hup := func() {
		t.Helper()
		before := strings.Count(p.Output(), "signal received")
		p.Signal(syscall.SIGHUP)
		nstest.Eventually(t, time.Minute, func() error {
			if strings.Count(p.Output(), "signal received") == before {
				return fmt.Errorf("SIGHUP is not in the log")
			}
			return nil
		})
	}
	put := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(etc+name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check(3*time.Hour+30*time.Minute, "+03:30")
	put("TZ", []byte("<-03>3\n"))
	hup()
	check(-3*time.Hour, "-03:00")
	tokyo, err := os.ReadFile("/usr/share/zoneinfo/Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	put("localtime", tokyo)
	hup()
	check(9*time.Hour, "+09:00")
	put("localtime", []byte("no zone at all"))
	hup()
	check(9*time.Hour, "+09:00") // as before, and it says so
	if !strings.Contains(p.Output(), "the time zone cannot be read") {
		t.Error("nothing in the log about a broken /etc/localtime")
	}
	os.Remove(etc + "localtime")
	os.Remove(etc + "TZ")
	hup()
	check(0, "")
	if state := p.Stop(syscall.SIGTERM); state.ExitCode() != 0 {
		t.Errorf("exit code %d", state.ExitCode())
	}
	for line := range strings.Lines(p.Output()) { // a line for each signal, in the zone of before it
		if !strings.Contains(line, "ignal received") {
			continue
		}
		at, err := time.Parse(time.ANSIC, line[:len(time.ANSIC)])
		if d := time.Now().Add(offsets[0]).UTC().Sub(at); err != nil || d < 0 || d > time.Minute {
			t.Errorf("the log's zone should be %v: %s", offsets[0], line)
		}
		offsets = offsets[1:]
	}
	if len(offsets) > 0 {
		t.Errorf("%d signals are not in the log", len(offsets))
	}
}
