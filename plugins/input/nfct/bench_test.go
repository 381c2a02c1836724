package nfct_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	_ "ulogd/plugins/output/null"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// cpu is what this process has used, in nanoseconds.
func cpu(t testing.TB) int64 {
	user, system := times(t)
	return user + system
}

// times are the CPU times of this process in its own code and in the kernel's, in nanoseconds.
func times(t testing.TB) (user, system int64) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u.Utime.Nano(), u.Stime.Nano()
}

// BenchmarkReceive measures the daemon's CPU time per DESTROY event, from the kernel to columns, in
// each mode.
func BenchmarkReceive(b *testing.B) {
	for _, c := range []struct{ name, settings string }{
		{"stateless", "hash_enable = false\nevent_mask = 4"},
		{"hash", ""},
		{"reliable", "hash_enable = false\nevent_mask = 4\nreliable = true\nnetlink_socket_buffer_size = 212992"},
	} {
		b.Run(c.name, func(b *testing.B) {
			const n = 250_000
			ns := nstest.New(b)
			nstest.EnableConntrack(b, ns)
			var spent int64
			for b.Loop() {
				d := stacktest.Start(b, fmt.Sprintf(`
[global]
stack = "ct1:NFCT,out1:NULL"
[ct1]
network_namespace_path = %q
netlink_socket_buffer_maxsize = 536870912
%s
`, ns.Path(), c.settings))
				nstest.FillConntrack(b, ns, n)
				made := func() int64 { s := d.Stats("ct1"); return s.Made + s.Lost }
				before := cpu(b)
				ns.Run(b, "conntrack -F")
				d.Eventually("all events", func() bool { return made() >= n })
				spent += cpu(b) - before
				if s := d.Stats("ct1"); s.Lost > 0 {
					b.Fatalf("%d lost", s.Lost)
				}
				d.Stop()
			}
			b.ReportMetric(float64(spent)/float64(b.N)/n, "cpu-ns/event")
		})
	}
}

// BenchmarkDump measures the CPU time per entry of a dump, from the kernel to columns; user is this
// daemon's own part.
func BenchmarkDump(b *testing.B) {
	const n = 250_000
	ns := nstest.New(b)
	nstest.EnableConntrack(b, ns)
	nstest.FillConntrack(b, ns, n)
	var user, system int64
	for b.Loop() {
		d := stormy(b, ns, "hash_enable = false\nevent_mask = 4\nexport_on_exit = true")
		u, s := times(b)
		d.Stop()
		u2, s2 := times(b)
		user, system = user+u2-u, system+s2-s
		if got := d.Stats("ct1").Out; got != n {
			b.Fatalf("%d of %d entries", got, n)
		}
	}
	b.ReportMetric(float64(user+system)/float64(b.N)/n, "cpu-ns/entry")
	b.ReportMetric(float64(user)/float64(b.N)/n, "user-ns/entry")
}
