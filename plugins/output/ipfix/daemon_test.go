// The program as it is built, killed while it spools.

package ipfix

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/test/nstest"
)

// built is the daemon.
var built nstest.Daemon

func TestMain(m *testing.M) {
	if os.Getenv(collectorListen) != "" {
		if err := collectorMain(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(0)
	}
	os.Exit(built.Main(m))
}

// daemon is a running ulogd.
type daemon struct {
	t       *testing.T
	program string
	config  string
	cmd     *exec.Cmd
	log     bytes.Buffer
	ended   bool
}

// startDaemon starts the daemon with a configuration, as the end of a command that makes its
// surroundings, if there is one.
func startDaemon(t *testing.T, config string, inside ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, program: built.Path(t), config: filepath.Join(t.TempDir(), "ulogd.toml")}
	if err := os.WriteFile(d.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(slices.Clone(inside), d.program, "-v", "-l", "3", "-c", d.config)
	d.cmd = exec.Command(args[0], args[1:]...)
	d.cmd.Stderr = &d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.signal(syscall.SIGKILL) })
	return d
}

// signal ends the daemon, if it runs, and returns what it logged.
func (d *daemon) signal(s syscall.Signal) string {
	d.t.Helper()
	if !d.ended {
		d.ended = true
		d.cmd.Process.Signal(s)
		if err := d.cmd.Wait(); err != nil && s != syscall.SIGKILL {
			d.t.Errorf("%v\n%s", err, &d.log)
		}
	}
	return d.log.String()
}

// stats asks for the counters of the output; ok is false while the daemon does not answer.
func (d *daemon) stats() (s engine.Snapshot, ok bool) {
	out, err := exec.Command(d.program, "stats", "--json", "-c", d.config).Output()
	var all []engine.Snapshot
	if err != nil || json.Unmarshal(out, &all) != nil {
		return s, false
	}
	i := slices.IndexFunc(all, func(s engine.Snapshot) bool { return s.Plugin == "IPFIX" })
	return all[i], true
}

// until asks until the counters are as they should be.
func (d *daemon) until(what string, good func(engine.Snapshot) bool) engine.Snapshot {
	d.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if s, ok := d.stats(); ok && good(s) {
			return s
		}
	}
	d.t.Fatalf("%s: waited in vain\n%s", what, d.signal(syscall.SIGKILL))
	return engine.Snapshot{}
}

func reading(s engine.Snapshot, name string) int64 {
	for _, r := range s.Counters {
		if r.Name == name {
			return r.Value
		}
	}
	return 0
}

// ipfixDump returns the flowEndMilliseconds of all IPv4 records in messages, as libfixbuf's
// ipfixDump prints them.
func ipfixDump(t *testing.T, messages []byte) (ends []time.Time) {
	t.Helper()
	nstest.Need(t, "tool:ipfixDump")
	cmd := exec.Command("ipfixDump", "--data")
	cmd.Stdin = bytes.NewReader(messages)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ipfixDump: %v\n%s", err, out[max(0, len(out)-2000):])
	}
	end := regexp.MustCompile(`flowEndMilliseconds +: (\S+ \S+)`)
	for record := range strings.SplitSeq(string(out), "--- data record ") {
		if !strings.Contains(record, "sourceIPv4Address") {
			continue
		}
		m := end.FindStringSubmatch(record)
		if m == nil {
			t.Fatalf("ipfixDump prints no end in %q", record)
		}
		at, err := time.Parse("2006-01-02 15:04:05.000", m[1])
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, at)
	}
	return ends
}

// TestKilledWhileSpooling: flows that a collector which is away could not take are on disk when the
// daemon is killed, and arrive although the next one is killed while it sends them.
func TestKilledWhileSpooling(t *testing.T) {
	nstest.Need(t, "native") // the daemon is a program of this machine
	c, dir := closedPort(t), t.TempDir()
	spool := filepath.Join(dir, "spool")
	config := func(flows string) string {
		return fmt.Sprintf(`
[global]
stack = "flows:GEN,out:IPFIX"
control = %q
[flows]
%s
interval = 0.001
[out]
host = %q
direction = "sum"
fields = ["flowEndMilliseconds", "sourceIPv4Address", "sourceIPv6Address"]
buffer = "256KiB"
spool = %q
reconnect_interval = 0.1
flush_interval = 0.1
`, filepath.Join(dir, "control"), flows, c.addr, spool)
	}
	numbered, other := config("count = 0\nrate = 100000\nipv6 = 0"), config("count = 0\nrate = 10\nipv6 = 100")

	d := startDaemon(t, numbered)
	s := d.until("flows on disk", func(s engine.Snapshot) bool { return reading(s, "spooled") > 50000 })
	d.signal(syscall.SIGKILL)
	onDisk := reading(s, "spooled")
	files, _ := filepath.Glob(filepath.Join(spool, c.addr, "*.spool"))
	last := files[len(files)-1]
	fi, err := os.Stat(last)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(last, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("\xa5\xf1\x0c\x01 what a power failure leaves of a message")
	f.Close()

	c.listen()
	seen := map[time.Time]int{}
	d = startDaemon(t, other)
	conn, messages := c.accept(), []byte(nil)
	for len(messages) < int(fi.Size())/2 {
		msg, err := readMessage(conn)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, msg...)
	}
	s = d.until("the counters", func(engine.Snapshot) bool { return true })
	log := d.signal(syscall.SIGKILL)
	conn.Close()
	if want := fmt.Sprintf("file=%s offset=%d", last, fi.Size()); !strings.Contains(log, want) {
		t.Errorf("the log does not say %q:\n%s", want, log)
	}
	resumed := reading(s, "resumed")
	if resumed < onDisk || reading(s, "spool_torn") != 1 {
		t.Errorf("%d records were found, at least %d were on disk; %d torn segments", resumed, onDisk, reading(s, "spool_torn"))
	}
	for _, at := range ipfixDump(t, messages) {
		seen[at]++
	}

	d = startDaemon(t, other)
	conn, messages = c.accept(), nil
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			msg, err := readMessage(conn)
			if err != nil {
				return
			}
			messages = append(messages, msg...)
		}
	}()
	s = d.until("the spool is sent", func(s engine.Snapshot) bool { return s.Out > reading(s, "resumed") && s.Held < 1000 && s.Open() == 0 })
	if s.Dropped != 0 {
		t.Errorf("%d records were dropped: %+v", s.Dropped, s.Drops)
	}
	d.signal(syscall.SIGTERM)
	<-ended
	order := ipfixDump(t, messages)
	if !slices.IsSortedFunc(order, time.Time.Compare) {
		t.Error("the flows do not arrive in their order")
	}
	for _, at := range order {
		seen[at]++
	}
	all := slices.SortedFunc(maps.Keys(seen), time.Time.Compare)
	if span := all[len(all)-1].Sub(all[0])/time.Millisecond + 1; int64(len(all)) != resumed || int64(span) != resumed {
		t.Errorf("%d flows arrived, over %d numbers; %d were on disk", len(all), span, resumed)
	}
	if files, _ := filepath.Glob(filepath.Join(spool, c.addr, "*.spool")); len(files) > 0 {
		t.Errorf("%v are left", files)
	}
}
