// The spool inside one process: what waits on disk, in its order, over the lives of outputs.

package ipfix

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/engine"

	"ulogd/plugins/output/export/stream"
	"ulogd/test/nstest"
)

// spooled are the options of an output with little memory and a spool.
func spooled(dir string, more ...string) []string {
	return append([]string{"buffer", "256KiB", "spool", dir, "spool_max", "64MiB", "reconnect_interval", "50ms", "flush_interval", "20ms"}, more...)
}

// closedPort returns the address of a collector that is away.
func closedPort(t testing.TB) *collectTCP {
	t.Helper()
	c := listenTCP(t)
	c.stop()
	return c
}

// giveAll hands numbered flows to the stack.
func (r *rig) giveAll(from, n int) {
	r.t.Helper()
	for i := 0; i < n; i += 250 {
		r.give(numbered(from+i, 250)...)
	}
}

// end0 ends the stack at once, as SIGTERM with no patience does, and checks its sums.
func (r *rig) end0() {
	r.t.Helper()
	r.stop()
	r.balanced()
}

func (r *rig) count(name string) int64 { return r.stats().Counter(name, "").Load() }

// marks reads a connection to its end and returns the marks in the order of their arrival.
func marks(t testing.TB, conn net.Conn, done func(n int) bool) (all []uint32) {
	t.Helper()
	s := newSession()
	for !done(len(all)) {
		msg, err := readMessage(conn)
		if err != nil {
			t.Fatalf("%v after %d records", err, len(all))
		}
		for _, r := range s.must(t, msg) {
			all = append(all, uint32(r.uint(21373, 4)))
		}
	}
	return all
}

func upTo(n int) func(int) bool { return func(have int) bool { return have >= n } }

func inOrder(t testing.TB, got []uint32, from, to int) {
	t.Helper()
	if len(got) != to-from {
		t.Errorf("%d records arrived, want %d", len(got), to-from)
	}
	for i, m := range got {
		if int(m) != from+i {
			t.Fatalf("record %d is flow %d, want %d: first %d, last %d", i, m, from+i, got[0], got[len(got)-1])
		}
	}
}

// nothing checks that no record was dropped.
func (r *rig) nothingDropped() {
	r.t.Helper()
	for _, name := range []string{"buffer_full", "collector_away", "spool_full", "spool_damaged", "spool_foreign", "spool_failed"} {
		if n := r.stats().Drop(name, "").Load(); n != 0 {
			r.t.Errorf("%d records were dropped as %s", n, name)
		}
	}
}

func segments(t testing.TB, dir string, c *collectTCP) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, c.addr, "*.spool"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestSpoolWhileAway: more records than memory holds wait for a collector, and arrive once, in
// order, with later ones behind them.
func TestSpoolWhileAway(t *testing.T) {
	c, dir := closedPort(t), t.TempDir()
	r := start(t, &feed{asct: true}, spooled(dir, "host", c.addr)...)
	r.giveAll(0, 20000)
	r.give()
	if n := r.count("spooled"); n < 10000 {
		t.Errorf("%d records went to the spool; the test wants more", n)
	}
	c.listen()
	conn := c.accept()
	go r.giveAll(20000, 5000)
	inOrder(t, marks(t, conn, upTo(25000)), 0, 25000)
	r.end()
	if !strings.Contains(r.log.String(), "the buffer of collector "+c.addr+" is full: records go to the spool") {
		t.Errorf("nothing is said of the spool:\n%s", r.log.String())
	}
	r.nothingDropped()
	if left := segments(t, dir, c); len(left) != 0 || r.stats().Held.Load() != 0 {
		t.Errorf("%v are left, %d records are held", left, r.stats().Held.Load())
	}
}

// TestSpoolOverRuns: the collector is away for two runs, whose templates have the same numbers for
// different elements. The third run brings everything, without a gap.
func TestSpoolOverRuns(t *testing.T) {
	c, dir := closedPort(t), t.TempDir()
	first := start(t, &feed{asct: true}, spooled(dir, "host", c.addr)...)
	first.giveAll(0, 10000)
	first.end0()
	first.nothingDropped()
	if n := first.stats().Held.Load(); n != 10000 {
		t.Errorf("%d records are held at the end, want all", n)
	}
	second := start(t, &feed{asct: true}, spooled(dir, "host", c.addr, "direction", "biflow", "fields", "ct.mark,sourceIPv4Address,destinationIPv4Address,octetTotalCount")...)
	second.giveAll(10000, 10000)
	second.end0()
	second.nothingDropped()
	if got, held := second.count("resumed"), second.stats().Held.Load(); got != 10000 || held != 20000 {
		t.Errorf("the second run resumed %d records and held %d at its end, want 10000 and 20000", got, held)
	}
	third := start(t, &feed{asct: true}, spooled(dir, "host", c.addr)...)
	third.giveAll(20000, 1000) // before the first session: they have the first template number
	c.listen()
	inOrder(t, marks(t, c.accept(), upTo(21000)), 0, 21000)
	third.end()
	third.nothingDropped()
	if got := third.count("resumed"); got != 20000 {
		t.Errorf("the third run resumed %d records, want 20000", got)
	}
}

// TestStalledAtTheEnd: what a collector that does not read has not acknowledged when the daemon
// ends is for the next run.
func TestStalledAtTheEnd(t *testing.T) {
	c, dir := listenTCP(t), t.TempDir()
	r := start(t, &feed{asct: true}, spooled(dir, "host", c.addr)...)
	conn := c.accept()
	conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	r.giveAll(0, 50000)
	r.end0()
	r.nothingDropped()
	conn.Close() // with data unread: the kernel's buffers are lost with it
	r = start(t, &feed{asct: true}, spooled(dir, "host", c.addr)...)
	got := marks(t, c.accept(), func(n int) bool { return n > 0 && int64(n) >= r.count("resumed") })
	r.end()
	if got[0] > 20000 { // what its kernel had acknowledged and it had not read
		t.Errorf("the first record is flow %d", got[0])
	}
	inOrder(t, got, int(got[0]), 50000)
}

// TestSlowCollector: what a collector that does not read for a while has no room for waits on disk,
// and arrives once, in order.
func TestSlowCollector(t *testing.T) {
	c, dir := listenTCP(t), t.TempDir()
	r := start(t, &feed{asct: true}, spooled(dir, "host", c.addr)...)
	conn := c.accept()
	r.giveAll(0, 100000)
	r.give()
	if n := r.count("spooled"); n < 10000 {
		t.Errorf("%d records went to the spool; the test wants more", n)
	}
	inOrder(t, marks(t, conn, upTo(100000)), 0, 100000)
	r.end()
	r.nothingDropped()
	if r.count("sessions") != 1 || r.count("resent") != 0 {
		t.Errorf("%d sessions, %d records sent again", r.count("sessions"), r.count("resent"))
	}
}

// TestFullSpoolHoldsUpFiles: an input that loses nothing by waiting waits when buffer and spool are
// full.
func TestFullSpoolHoldsUpFiles(t *testing.T) {
	c, dir := closedPort(t), t.TempDir()
	r := start(t, &feed{asct: true, patient: true}, spooled(dir, "host", c.addr, "spool_max", "1MiB")...)
	go func() {
		for i := range 200 {
			r.feed.rows <- numbered(i*250, 250)
		}
		close(r.feed.rows)
	}()
	for last := int64(-1); last != r.stats().In.Load(); time.Sleep(200 * time.Millisecond) {
		last = r.stats().In.Load()
	}
	if in := r.stats().In.Load(); in == 0 || in == 50000 {
		t.Fatalf("%d records were taken; the input should wait", in)
	}
	c.listen()
	inOrder(t, marks(t, c.accept(), upTo(50000)), 0, 50000)
	<-r.m.Ended()
	r.end0()
	r.nothingDropped()
}

// TestFullSpool: the oldest records that are on disk give way.
func TestFullSpool(t *testing.T) {
	c, dir := closedPort(t), t.TempDir()
	r := start(t, &feed{asct: true}, spooled(dir, "host", c.addr, "spool_max", "1MiB", "when_full", "drop")...)
	r.giveAll(0, 50000)
	r.give()
	dropped := int(r.stats().Drop("spool_full", "").Load())
	if dropped == 0 {
		t.Fatal("nothing was dropped")
	}
	c.listen()
	got := marks(t, c.accept(), upTo(50000-dropped))
	gap := slices.IndexFunc(got, func(m uint32) bool { return m != uint32(slices.Index(got, m)) })
	inOrder(t, got[:gap], 0, gap) // in memory when the collector went away
	inOrder(t, got[gap:], gap+dropped, 50000)
	r.end()
}

// TestSpoolsOfSeveral: each collector has its own.
func TestSpoolsOfSeveral(t *testing.T) {
	for _, mode := range []string{stream.All, stream.Balance, stream.Failover} {
		t.Run(mode, func(t *testing.T) {
			one, two, dir := closedPort(t), closedPort(t), t.TempDir()
			set := spooled(dir, "host", one.addr+","+two.addr, "mode", mode)
			r := start(t, &feed{asct: true}, set...)
			r.giveAll(0, 20000)
			r.end0()
			r.nothingDropped()
			want := map[string][]*collectTCP{stream.All: {one, two}, stream.Balance: {one, two}, stream.Failover: {one}}[mode]
			for _, c := range want {
				if len(segments(t, dir, c)) == 0 {
					t.Errorf("there is no spool for %s", c.addr)
				}
			}
			r = start(t, &feed{asct: true}, set...)
			total := int(r.count("resumed"))
			two.listen()
			if mode == stream.Failover {
				inOrder(t, marks(t, two.accept(), upTo(20000)), 0, 20000)
				r.end()
				return
			}
			one.listen()
			first, second := collect(t, one.accept()), collect(t, two.accept())
			r.end()
			a, b := len(<-first.done), len(<-second.done)
			if a+b != total || mode == stream.All && a != b || total < 20000 {
				t.Errorf("%d and %d flows arrived of %d", a, b, total)
			}
		})
	}
}

// TestSpoolOfAnotherTransport: DTLS has no room for messages that were made for TCP with a large
// mtu. They are dropped, and what comes behind them is sent.
func TestSpoolOfAnotherTransport(t *testing.T) {
	nstest.Need(t, "native") // an emulator forks slowly: until it becomes another program the child has the lock, too
	a, dir := newAuthority(t), t.TempDir()
	s := a.dtls(t, loopbackCertificate())
	for _, mtu := range []string{"30000", "1000"} {
		r := start(t, &feed{asct: true}, spooled(dir, "host", s.host(), "mtu", mtu)...)
		r.giveAll(0, 1000)
		r.end0()
		r.nothingDropped()
	}
	s.start("-quiet")
	r := start(t, &feed{asct: true}, append(spooled(dir, "host", s.host()), a.client("dtls", a)...)...)
	newSession().read(t, s.out, 1000)
	r.end()
	if n := r.stats().Drop("spool_foreign", "").Load(); n != 1000 {
		t.Errorf("%d records were refused, want 1000", n)
	}
}

// TestCollectorThatDiesWhileTheSpoolIsSent: every flow arrives in one of its lives.
func TestCollectorThatDiesWhileTheSpoolIsSent(t *testing.T) {
	c, dir := closedPort(t), t.TempDir()
	set := spooled(dir, "host", c.addr, "buffer", "16MiB") // holds what is sent again
	r := start(t, &feed{asct: true}, set...)
	r.giveAll(0, 20000)
	r.end0()
	r = start(t, &feed{asct: true}, set...)
	c.listen()
	seen := map[uint32]bool{}
	for life := range 5 {
		conn := c.accept()
		if life == 4 {
			rest := collect(t, conn)
			r.end()
			for m := range <-rest.done {
				seen[m] = true
			}
			break
		}
		for _, m := range marks(t, conn, upTo(2000)) {
			seen[m] = true
		}
		conn.Close() // with data unread: a reset
	}
	if len(seen) != 20000 {
		t.Errorf("%d flows of 20000 arrived", len(seen))
	}
	r.nothingDropped()
}

func TestSpoolThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		set  []string
		want string
	}{
		{[]string{"spool", dir, "proto", "udp"}, "spool: with proto = udp no collector"},
		{[]string{"spool", dir, "spool_max", "1000"}, "spool_max: must be at least 1MiB"},
	} {
		_, problems := tryBuild(t, &feed{asct: true}, append([]string{"host", "127.0.0.1"}, c.set...)...)
		if !contains(problems, c.want) {
			t.Errorf("%q: %q does not say %q", c.set, problems, c.want)
		}
	}
	c := closedPort(t)
	start(t, &feed{asct: true}, spooled(dir, "host", c.addr)...)
	other := build(t, &feed{asct: true}, spooled(dir, "host", c.addr)...)
	if err := other.m.Open(); err == nil || !strings.Contains(err.Error(), dir+": another output of this daemon has it") {
		t.Errorf("a second output with the same spool: %v", err)
	}
	other.m = nil
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other = build(t, &feed{asct: true}, spooled(filepath.Join(file, "spool"), "host", c.addr)...)
	if err := other.m.Open(); err == nil || !strings.Contains(err.Error(), "make the spool: mkdir "+file) {
		t.Errorf("a spool that cannot be made: %v", err)
	}
	other.m = nil
}

func TestDoctorLooksAtTheSpool(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := listenTCP(t) // the doctor tries it
	_, port, _ := net.SplitHostPort(c.addr)
	for path, want := range map[string]string{dir: "", filepath.Join(dir, "to", "make"): "", filepath.Join(file, "spool"): "not a directory"} {
		r, d := build(t, &feed{asct: true}, spooled(path, "host", "127.0.0.1", "port", port)...), &engine.DoctorReport{}
		r.m.Doctor(d)
		found := ""
		for _, f := range d.Findings() {
			found += f.What
		}
		if (found == "") != (want == "") || !strings.Contains(found, want) {
			t.Errorf("%s: found %q, want %q", path, found, want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the doctor left %v, %v", entries, err)
	}
}
