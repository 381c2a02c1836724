package nfct

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/test/bench/measure"
	"ulogd/test/nstest"
)

const (
	entries    = 1_000_000
	mostMemory = 112 << 20 // that a daemon that remembers them has of its own: the program's file is the page cache's

	// µs of CPU time per entry of a dump. Where the kernel alone takes longer than most, what is
	// added to it must be little.
	most, mostAdded = 1.5, 0.3
)

// BenchmarkNFCTTable measures what a million live connections cost: reading them, and remembering
// them. A loop that throws away what it receives shows the kernel's part of that, conntrack -L and
// ulogd2 show what others need.
func BenchmarkNFCTTable(b *testing.B) {
	nstest.Need(b, "root", "nf_conntrack", "tool:conntrack", "tool:ulogd")
	nstest.ConntrackMax(b, entries+100_000)
	ours, theirs := programs(b)
	ns := nstest.New(b)
	nstest.EnableConntrack(b, ns)
	nstest.FillConntrack(b, ns, entries)
	dir := b.TempDir()
	config := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
		return path
	}
	const section = "[ct1]\nhash_max_entries=1048576\nhash_buckets=1048576\n"
	// Looks at the table, which ulogd2 does not have, are at most 1 % of a core, however long it runs.
	remember := config("ulogd.conf", "stack=ct1:NFCT,null:NULL\n"+section+"expire_interval=0\n")
	stateless := config("stateless.conf", `stack=ct1:NFCT,null:NULL
[ct1]
hash_enable=0
event_mask=4
export_on_exit=1
expire_interval=0
`)
	peer := config("ulogd2.conf", theirs.Load("inpflow_NFCT", "output_GPRINT")+
		"stack=ct1:NFCT,g:GPRINT\n"+section+"[g]\nfile=/dev/null\n")

	var floor, listing, first, read, other []float64
	memory, passing := 0, 0
	for range rounds {
		floor = append(floor, drain(b, ns))
		listing = append(listing, list(b, ns))
		c, kib := start(b, ns, ours, remember)
		first, memory = append(first, c), max(memory, kib<<10)
		c, kib = atExit(b, ns, ours, stateless)
		read, passing = append(read, c), max(passing, kib<<10)
		c, _ = start(b, ns, theirs.Program, peer)
		other = append(other, c)
	}
	b.ReportMetric(measure.Percentile(floor, 50), "µs/entry-received")
	b.ReportMetric(measure.Percentile(read, 50), "µs/entry-decoded")
	b.ReportMetric(measure.Percentile(first, 50), "µs/entry-remembered")
	b.ReportMetric(measure.Percentile(listing, 50), "µs/entry-of-conntrack-L")
	b.ReportMetric(measure.Percentile(other, 50), "µs/entry-of-ulogd2")
	b.ReportMetric(float64(memory)/(1<<20), "MiB-remembered")
	b.ReportMetric(float64(passing)/(1<<20), "MiB-decoded")
	b.Logf("µs of CPU time per entry: %.2f the kernel alone, %.2f decoded, %.2f remembered, %.2f conntrack -L, %.2f ulogd2", floor, read, first, listing, other)
	if memory > mostMemory {
		b.Errorf("%d MiB for %d connections, at most %d are allowed", memory>>20, entries, mostMemory>>20)
	}
	if m, k := measure.Percentile(read, 50), measure.Percentile(floor, 50); m > max(most, k+mostAdded) {
		b.Errorf("%.2f µs of CPU time per entry of a dump, the kernel alone takes %.2f; at most %.1f, or %.1f more than the kernel, are allowed", m, k, most, mostAdded)
	}
}

// start runs a daemon until it has read the table and returns its CPU time per entry, in
// microseconds, and the memory that is its own in KiB.
func start(b *testing.B, ns *nstest.NS, program, config string) (micros float64, kib int) {
	b.Helper()
	p := ns.Start(b, program+" -v -l 3 -c "+config)
	p.WaitSubscribed(time.Minute)
	measure.WaitIdle(p.PID())
	used := measure.CPUTime(p.PID())
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(`RssAnon:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		b.Fatalf("no RssAnon in %s", status)
	}
	kib, _ = strconv.Atoi(string(m[1]))
	p.Stop(syscall.SIGTERM)
	return used.Seconds() * 1e6 / entries, kib
}

// atExit runs a daemon that reads the table when it ends.
func atExit(b *testing.B, ns *nstest.NS, program, config string) (micros float64, kib int) {
	b.Helper()
	p := ns.Start(b, program+" -v -l 3 -c "+config)
	p.WaitSubscribed(time.Minute)
	measure.WaitIdle(p.PID())
	state := p.Stop(syscall.SIGTERM)
	return (state.UserTime() + state.SystemTime()).Seconds() * 1e6 / entries, int(state.SysUsage().(*syscall.Rusage).Maxrss)
}

// list has conntrack read the table.
func list(b *testing.B, ns *nstest.NS) (micros float64) {
	b.Helper()
	c := ns.Cmd("conntrack -L")
	if err := c.Run(); err != nil {
		b.Fatal(err)
	}
	return (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds() * 1e6 / entries
}

// drain receives a dump and throws it away.
func drain(b *testing.B, ns *nstest.NS) (micros float64) {
	b.Helper()
	ns.Do(b, func() {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
		if err != nil {
			b.Fatal(err)
		}
		defer unix.Close(fd)
		const get = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1 // IPCTNL_MSG_CT_GET
		request := nlattr.AppendMessage(nil, get, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, 1, func(b []byte) []byte {
			return append(b, unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0)
		})
		if err := unix.Send(fd, request, 0); err != nil {
			b.Fatal(err)
		}
		var before, after unix.Rusage // of all threads: a system call that takes long costs the runtime, too
		unix.Getrusage(unix.RUSAGE_SELF, &before)
		buf := make([]byte, 32<<10)
		for {
			n, err := unix.Read(fd, buf)
			if err != nil {
				b.Fatal(err)
			}
			if m, _ := nlattr.NextMessage(buf[:n]); m.Type == unix.NLMSG_DONE {
				break
			}
		}
		unix.Getrusage(unix.RUSAGE_SELF, &after)
		micros = float64(after.Utime.Nano()-before.Utime.Nano()+after.Stime.Nano()-before.Stime.Nano()) / 1e3 / entries
	})
	return micros
}

// programs builds this daemon and finds ulogd2.
func programs(b *testing.B) (ours string, theirs measure.Ulogd2) {
	b.Helper()
	ours, err := nstest.BuildDaemon(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	if theirs, err = measure.FindUlogd2(); err != nil {
		b.Fatal(err)
	}
	return ours, theirs
}
